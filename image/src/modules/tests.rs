//! Load orders of made-up kernels: modules here are ELF files with nothing but a `.modinfo`.

use super::*;

/// A folder with modules in it, deleted at the end.
struct Kernel {
    folder: PathBuf,
}

impl Drop for Kernel {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// An ELF64 relocatable file whose one section is `.modinfo`.
fn module(modinfo: &str) -> Vec<u8> {
    let names = b"\0.modinfo\0.shstrtab\0";
    let info = modinfo.replace('\n', "\0").into_bytes();
    let (info_at, names_at) = (64, 64 + info.len());
    let table_at = names_at + names.len();
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    file.extend([1_u16, 183].map(u16::to_le_bytes).concat());
    file.extend(1_u32.to_le_bytes());
    file.extend([0_u64, 0, table_at as u64].map(u64::to_le_bytes).concat());
    file.extend(0_u32.to_le_bytes());
    file.extend([64_u16, 0, 0, 64, 3, 2].map(u16::to_le_bytes).concat());
    file.extend(&info);
    file.extend(names);
    for (name, kind, at, len) in
        [(0_u32, 0_u32, 0, 0), (1, 1, info_at, info.len()), (10, 3, names_at, names.len())]
    {
        file.extend([name, kind].map(u32::to_le_bytes).concat());
        file.extend([0, 0, at as u64, len as u64, 0, 1, 0].map(u64::to_le_bytes).concat());
    }
    file
}

fn kernel(
    name: &str,
    modules: &[(&str, &str)],
    built_in: &str,
    config: &str,
) -> (Kernel, Result<ModuleTree>) {
    let folder = std::env::temp_dir().join(format!("tegami-modules-{name}-{}", std::process::id()));
    fs::create_dir_all(folder.join("kernel/deep")).unwrap();
    for (name, modinfo) in modules {
        fs::write(folder.join("kernel/deep").join(format!("{name}.ko")), module(modinfo)).unwrap();
    }
    fs::write(folder.join("modules.builtin"), built_in).unwrap();
    fs::write(folder.join("modules.builtin.modinfo"), "crc.alias=crypto-crc32c\0crc.license=GPL\0").unwrap();
    let tree = ModuleTree::open(&folder, config);
    (Kernel { folder }, tree)
}

fn order(tree: &ModuleTree, wanted: &[&str]) -> Result<Vec<String>, String> {
    let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
    let names = |modules: Vec<Module>| modules.into_iter().map(|module| module.file_name).collect();
    tree.resolve(&wanted).map(names).map_err(|error| format!("{error:#}"))
}

#[test]
fn every_module_comes_after_what_it_needs() {
    let modules = [
        ("genet", "depends=libphy,of-mdio\nsoftdep=pre: mdio-bcm-unimac"),
        ("libphy", "depends="),
        ("of_mdio", "depends=libphy"),
        ("mdio-bcm-unimac", "depends=of_mdio"),
    ];
    let (_kernel, tree) = kernel("order", &modules, "", "");
    let found = order(&tree.unwrap(), &["genet", "libphy"]);
    assert_eq!(found.unwrap(), ["libphy.ko", "of_mdio.ko", "mdio-bcm-unimac.ko", "genet.ko"]);
}

#[test]
fn what_is_built_in_needs_no_module() {
    let modules = [("ext", "depends=mmc-block\nsoftdep=pre: crypto-crc32c")];
    let (_kernel, tree) = kernel("builtin", &modules, "kernel/drivers/mmc_block.ko\n", "");
    assert_eq!(order(&tree.unwrap(), &["ext", "mmc_block"]).unwrap(), ["ext.ko"]);
}

#[test]
fn soft_dependencies_afterwards_and_by_alias_are_loaded() {
    let modules = [("mpls", "softdep=post: crypto-gso"), ("gso-generic", "alias=crypto-gso\nalias=pci:v0*")];
    let (_kernel, tree) = kernel("post", &modules, "", "");
    assert_eq!(order(&tree.unwrap(), &["mpls"]).unwrap(), ["mpls.ko", "gso-generic.ko"]);
}

#[test]
fn what_the_kernel_asks_for_again_and_again_is_kept() {
    let modules = [("ax88796b", "alias=mdio:0000000000111011000110000100????\nalias=pci:v0*"), ("lan", "")];
    let (_kernel, tree) = kernel("asked", &modules, "", "");
    let found = tree.unwrap().resolve(&["ax88796b".to_owned(), "lan".to_owned()]).unwrap();
    assert_eq!(found[0].asked_always, ["mdio:0000000000111011000110000100????"]);
    assert_eq!((&*found[0].name, found[1].asked_always.len()), ("ax88796b", 0));
}

#[test]
fn fat_brings_the_tables_of_its_default_mount_options() {
    let modules = [("fat", ""), ("vfat", "depends=fat"), ("nls_cp437", ""), ("nls_ascii", "")];
    let config = "CONFIG_FAT_DEFAULT_CODEPAGE=437\nCONFIG_FAT_DEFAULT_IOCHARSET=\"ascii\"\n";
    let (_kernel, tree) = kernel("fat", &modules, "", config);
    assert_eq!(
        order(&tree.unwrap(), &["vfat"]).unwrap(),
        ["fat.ko", "nls_cp437.ko", "nls_ascii.ko", "vfat.ko"]
    );
}

#[test]
fn what_cannot_be_resolved_fails_and_says_for_whom() {
    let modules = [("a", "depends=b"), ("b", "softdep=pre: gone"), ("c", "depends=d"), ("d", "depends=c")];
    let (_kernel, tree) = kernel("missing", &modules, "", "");
    let tree = tree.unwrap();
    let error = order(&tree, &["a"]).unwrap_err();
    assert!(error.contains("wants the module a") && error.contains("b needs gone"), "{error}");
    assert!(error.contains("no module gone"), "{error}");
    assert!(order(&tree, &["c"]).unwrap_err().contains("depends on itself"));
}

#[test]
fn a_file_that_is_no_module_is_named() {
    let (kernel, tree) = kernel("broken", &[("good", "")], "", "");
    fs::write(kernel.folder.join("kernel/deep/good.ko"), "not ELF").unwrap();
    assert!(order(&tree.unwrap(), &["good"]).unwrap_err().contains("good.ko is not a module"));
}
