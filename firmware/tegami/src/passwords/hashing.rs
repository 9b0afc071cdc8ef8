//! Making and checking password hashes. Slow on purpose (a tenth of a second to a second): only the hashing thread
//! calls this, see [`super::worker`].

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
use ring::rand::SecureRandom;
use zeroize::{Zeroize, Zeroizing};

use super::limits::{
    ARGON2_LANES, ARGON2_MEMORY_KIB, ARGON2_PASSES, FOREIGN_MEMORY_KIB_MAX, FOREIGN_WORK_KIB_MAX,
    HASH_RESERVE_KIB, PHC_BYTES_MAX, SALT_BYTES, SCRAM_ITERATIONS,
};
use super::scram::{ScramKeys, prepared};
use super::secret::PasswordSecret;

/// What is checked for a name that nobody has, so that such a name takes as long as a wrong password. Same cost as
/// our own hashes; which password it belongs to does not matter, since the answer is never used.
pub(crate) const DUMMY_PHC: &str =
    "$argon2id$v=19$m=7168,t=5,p=1$dGVnYW1pdGVnYW1pdGVnYQ$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// The machine could not do it: no memory, no randomness, or a hash that does not parse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CannotHash;

/// Why a hash made elsewhere is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PhcProblem {
    /// Not `$argon2id$v=19$m=…,t=…,p=…$salt$hash`.
    Form,
    /// Needs more memory or time than the box gives to one log-in.
    Cost,
}

/// Hashes a new password in both forms.
///
/// # Errors
/// [`CannotHash`].
pub(crate) fn make(password: &str, random: &dyn SecureRandom) -> Result<PasswordSecret, CannotHash> {
    let password = prepared(password);
    let mut argon2_salt = [0; SALT_BYTES];
    let mut scram_salt = vec![0; SALT_BYTES];
    random.fill(&mut argon2_salt).map_err(|_| CannotHash)?;
    random.fill(&mut scram_salt).map_err(|_| CannotHash)?;
    let params = Params::new(ARGON2_MEMORY_KIB, ARGON2_PASSES, ARGON2_LANES, None).map_err(|_| CannotHash)?;
    let hash = PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).map_err(|_| CannotHash)?,
        salt: Some(Salt::new(&argon2_salt).map_err(|_| CannotHash)?),
        hash: Some(run(&params, &argon2_salt, Params::DEFAULT_OUTPUT_LEN, &password)?),
    };
    let scram = ScramKeys::derive(&password, scram_salt, SCRAM_ITERATIONS);
    Ok(PasswordSecret { phc: hash.to_string(), scram: Some(scram) })
}

/// Whether `password` is the one that `phc` was made of.
///
/// A hash made elsewhere may have been made without preparation; where that makes a difference both are tried.
///
/// # Errors
/// [`CannotHash`]: nothing is known.
pub(crate) fn verify(phc: &str, password: &str) -> Result<bool, CannotHash> {
    let hash = parse(phc).map_err(|_| CannotHash)?;
    let prepared = prepared(password);
    Ok(matches(&hash, &prepared)? || (*prepared != password && matches(&hash, password)?))
}

fn matches(hash: &PasswordHash, password: &str) -> Result<bool, CannotHash> {
    let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else { return Err(CannotHash) };
    let params = Params::try_from(hash).map_err(|_| CannotHash)?;
    // `Output` compares in constant time.
    Ok(run(&params, salt, expected.len(), password)? == *expected)
}

/// Runs argon2id in memory of its own, which goes back to the kernel at the end.
fn run(params: &Params, salt: &[u8], output_len: usize, password: &str) -> Result<Output, CannotHash> {
    let mut memory = Vec::new();
    memory.try_reserve_exact(params.block_count().max(HASH_RESERVE_KIB as usize)).map_err(|_| CannotHash)?;
    memory.resize(params.block_count(), Block::new());
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    let mut output = Zeroizing::new([0; Output::MAX_LENGTH]);
    let output = output.get_mut(..output_len).ok_or(CannotHash)?;
    argon2
        .hash_password_into_with_memory(password.as_bytes(), salt, output, &mut memory)
        .map_err(|_| CannotHash)?;
    // Only what was used: wiping the whole reserve would touch all of it.
    memory.iter_mut().zeroize();
    Output::new(output).map_err(|_| CannotHash)
}

/// Whether a hash made elsewhere can be taken.
///
/// # Errors
/// [`PhcProblem`].
pub(crate) fn check_phc(phc: &str) -> Result<(), PhcProblem> {
    parse(phc).map(|_| ())
}

fn parse(phc: &str) -> Result<PasswordHash, PhcProblem> {
    if phc.len() > PHC_BYTES_MAX {
        return Err(PhcProblem::Form);
    }
    let hash = PasswordHash::new(phc).map_err(|_| PhcProblem::Form)?;
    let params = Params::try_from(&hash).map_err(|_| PhcProblem::Form)?;
    let whole = hash.algorithm == ARGON2ID_IDENT
        && hash.version == Some(Version::V0x13.into())
        && hash.salt.is_some()
        && hash.hash.is_some();
    let work = u64::from(params.m_cost()) * u64::from(params.t_cost());
    if !whole {
        Err(PhcProblem::Form)
    } else if params.m_cost() > FOREIGN_MEMORY_KIB_MAX || work > FOREIGN_WORK_KIB_MAX {
        Err(PhcProblem::Cost)
    } else {
        Ok(hash)
    }
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;

    use super::*;

    #[test]
    fn a_password_is_known_again_and_no_other() {
        let secret = make("手紙 example", &SystemRandom::new()).unwrap();
        assert!(secret.phc.starts_with("$argon2id$v=19$m=7168,t=5,p=1$"), "{}", secret.phc);
        assert_eq!(verify(&secret.phc, "手紙 example"), Ok(true));
        assert_eq!(verify(&secret.phc, "手紙 Example"), Ok(false));
        let keys = secret.scram.as_ref().unwrap();
        assert_eq!((keys.iterations, keys.salt.len()), (SCRAM_ITERATIONS, SALT_BYTES));
    }

    #[test]
    fn two_hashes_of_one_password_differ() {
        let random = SystemRandom::new();
        assert!(make("same", &random).unwrap().phc != make("same", &random).unwrap().phc);
    }

    #[test]
    fn a_foreign_hash_of_an_unprepared_password_is_known() {
        let params = Params::new(64, 1, 1, None).unwrap();
        let raw = PasswordHash {
            algorithm: ARGON2ID_IDENT,
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&params).unwrap(),
            salt: Some(Salt::new(b"saltsalt").unwrap()),
            hash: Some(run(&params, b"saltsalt", 32, "ｐａｓｓ").unwrap()),
        };
        assert_eq!(verify(&raw.to_string(), "ｐａｓｓ"), Ok(true));
        assert_eq!(verify(&raw.to_string(), "pass"), Ok(false));
    }

    /// The example of the argon2 reference implementation's README (`somesalt`, `password`, -t 2 -m 16 -p 4).
    #[test]
    fn a_hash_of_the_reference_implementation_is_known() {
        let phc = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert_eq!(check_phc(phc), Err(PhcProblem::Cost));
        let light = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        assert_eq!(check_phc(light), Ok(()));
        assert_eq!(verify(light, "password"), Ok(true));
    }

    #[test]
    fn the_dummy_costs_what_a_real_one_costs() {
        assert_eq!(check_phc(DUMMY_PHC), Ok(()));
        let real = parse(&make("x", &SystemRandom::new()).unwrap().phc).unwrap();
        assert_eq!(parse(DUMMY_PHC).unwrap().params, real.params);
        assert_eq!(verify(DUMMY_PHC, ""), Ok(false));
    }

    #[test]
    fn what_is_not_such_a_hash_is_refused() {
        let long = format!("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ${}", "A".repeat(PHC_BYTES_MAX));
        for phc in [
            "",
            "secret",
            "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ",
            "$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=16$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$6$rounds=5000$salt$hash",
            &long,
        ] {
            assert_eq!(check_phc(phc), Err(PhcProblem::Form), "{phc}");
        }
    }
}
