//! Installing through the system's apt, as root or by sudo. Nothing is ever removed for it: where apt would,
//! QEMU is unpacked below the target folder instead, and for the rest a sentence says what stands in the way.

use std::path::PathBuf;
use std::process::{Command, Output};

use anyhow::{Context, Result, bail};

use super::{Need, to_install, unpacked};
use crate::{paths, run};

/// What apt says that it would do.
struct Plan {
    /// Packages that would go.
    removed: Vec<String>,
    /// Packages that would come, with their versions.
    installed: Vec<String>,
}

/// Installs what is missing.
pub(super) fn install(missing: &[Need]) -> Result<()> {
    prepare(missing)?;
    let mut packages: Vec<&str> = Vec::new();
    for &need in missing {
        let plan = plan_or_update(need, missing)?;
        if plan.removed.is_empty() {
            packages.extend(need.debian_packages());
        } else if need == Need::Qemu {
            run::say(&format!(
                "installing QEMU would remove {}: unpacking it below target instead",
                plan.removed.join(", ")
            ));
            unpacked::unpack(&plan.installed)?;
        } else {
            let (wanted, gone) = (need.debian_packages().join(" "), plan.removed.join(", "));
            let why = format!("installing {wanted} would remove {gone}, and nothing of yours is removed");
            return Err(to_install(&[need], &why));
        }
    }
    if packages.is_empty() {
        return Ok(());
    }
    run::say(&format!("installing with apt: {}", packages.join(" ")));
    let mut command = as_root(missing)?;
    command.args(["apt-get", "install", "--yes", "--quiet", "--no-remove", "--no-install-recommends"]);
    logged(command.args(["-o", "DPkg::Lock::Timeout=300"]).args(packages))
}

/// Lets apt know the packages of arm64 where one of them is wanted.
fn prepare(missing: &[Need]) -> Result<()> {
    let wanted =
        missing.iter().any(|need| need.debian_packages().iter().any(|package| package.ends_with(":arm64")));
    if !wanted || run::first_line(Command::new("dpkg").arg("--print-architecture"))? == "arm64" {
        return Ok(());
    }
    let foreign = run::output(Command::new("dpkg").arg("--print-foreign-architectures"))?;
    if foreign.lines().any(|line| line == "arm64") {
        return Ok(());
    }
    run::say("letting apt know arm64's packages: dpkg --add-architecture arm64");
    logged(as_root(missing)?.args(["dpkg", "--add-architecture", "arm64"]))?;
    update(missing)
}

fn update(missing: &[Need]) -> Result<()> {
    run::say("fetching the package lists: apt-get update");
    logged(as_root(missing)?.args(["apt-get", "update", "--quiet"]))
}

/// What installing one need would do. Lists that are missing or old are fetched once.
fn plan_or_update(need: Need, missing: &[Need]) -> Result<Plan> {
    let first = simulate(need)?;
    let ended = if first.status.success() {
        first
    } else {
        update(missing)?;
        simulate(need)?
    };
    if !ended.status.success() {
        let why = run::failure(&Command::new("apt-get"), &ended);
        return Err(to_install(&[need], &why));
    }
    Ok(parse_plan(&String::from_utf8_lossy(&ended.stdout)))
}

fn simulate(need: Need) -> Result<Output> {
    let mut command = Command::new("apt-get");
    command.args(["install", "--simulate", "--no-install-recommends"]).args(need.debian_packages());
    run::try_output(command.env("LC_ALL", "C.UTF-8"))
}

/// `Inst name [old] (new source …)` and `Remv name [old]` lines.
fn parse_plan(text: &str) -> Plan {
    let name = |rest: &str| rest.split(' ').next().unwrap_or_default().to_owned();
    let version = |rest: &str| {
        rest.split_once('(').and_then(|(_, new)| new.split(' ').next()).unwrap_or_default().to_owned()
    };
    let removed = text.lines().filter_map(|line| line.strip_prefix("Remv ")).map(name).collect();
    let installed = text.lines().filter_map(|line| line.strip_prefix("Inst "));
    let installed = installed.map(|rest| format!("{}={}", name(rest), version(rest))).collect();
    Plan { removed, installed }
}

/// A command line that runs as root: to it the program is added.
fn as_root(missing: &[Need]) -> Result<Command> {
    let is_root = run::first_line(Command::new("id").arg("-u"))? == "0";
    let mut command = match (is_root, run::find("sudo")) {
        (true, _) => Command::new("env"),
        (false, Some(sudo)) => {
            let mut command = Command::new(sudo);
            command.arg("env");
            command
        }
        (false, None) => return Err(to_install(missing, "apt needs root, and there is no sudo")),
    };
    command.args(["DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8"]);
    Ok(command)
}

/// Runs apt with its many lines in a file, which the error names. Standard error stays for sudo's question.
fn logged(command: &mut Command) -> Result<()> {
    let path: PathBuf = paths::cache().join("apt.log");
    let open = std::fs::File::options().create(true).append(true).open(&path);
    let log = open.with_context(|| format!("cannot write {}", path.display()))?;
    let status = command.stdout(log).status().context("cannot run apt")?;
    if !status.success() {
        bail!("apt failed ({status}); what it said is in {}", path.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_names_what_comes_and_what_goes() {
        let text = "NOTE: This is only a simulation!\n\
            Remv qemu-utils [1:10.0.2+ds-2]\n\
            Inst libfdt1 (1.6.1-4+b1 Debian:12/oldstable [amd64])\n\
            Inst qemu-system-arm [1:7.1] (1:7.2+dfsg-7 Debian:12/oldstable [amd64])\n\
            Conf libfdt1 (1.6.1-4+b1 Debian:12/oldstable [amd64])\n";
        let plan = parse_plan(text);
        assert_eq!(plan.removed, ["qemu-utils"]);
        assert_eq!(plan.installed, ["libfdt1=1.6.1-4+b1", "qemu-system-arm=1:7.2+dfsg-7"]);
    }
}
