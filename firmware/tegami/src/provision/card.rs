//! The file's own text: its outline without passwords, and the text with clear passwords replaced by hashes.
//!
//! Only the stretch from key to value changes; every other byte, comments and line ends included, stays.

use ring::digest;

use super::document::{Document, Entry};

/// Whose password a key of the file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner<'t> {
    /// The administrator's.
    Administrator,
    /// Of the account with this address, as the file writes it.
    Account(&'t str),
}

/// Replaces clear passwords by the hashes that `hash` gives (argon2id in PHC form); where it gives none the password
/// stays. `None` if nothing is to be replaced, or the text is no provision file.
pub(crate) fn without_passwords(text: &str, hash: impl Fn(Owner<'_>) -> Option<String>) -> Option<String> {
    let document = Document::parse(text).ok()?;
    let replaced = replace(text, &document, |key| if key.clear { hash(key.owner) } else { None });
    (replaced != text).then_some(replaced)
}

/// SHA-256 of the text with every password, clear or hashed, taken out: it stays the same when passwords are replaced
/// on the card, and tells nobody who reads the flash anything about a password.
pub(super) fn outline(text: &str, document: &Document<'_>) -> [u8; 32] {
    let text = replace(text, document, |_| Some(String::new()));
    let mut outline = [0; 32];
    for (to, from) in outline.iter_mut().zip(digest::digest(&digest::SHA256, text.as_bytes()).as_ref()) {
        *to = *from;
    }
    outline
}

/// One password of the file.
struct PasswordKey<'d> {
    owner: Owner<'d>,
    /// In clear, not a hash.
    clear: bool,
    entry: &'d Entry,
}

fn replace(text: &str, document: &Document<'_>, hash: impl Fn(&PasswordKey<'_>) -> Option<String>) -> String {
    let mut keys: Vec<_> =
        document.entries().iter().filter_map(|entry| password_key(document, entry)).collect();
    keys.sort_by_key(|key| key.entry.key.start);
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for key in keys {
        let Some(hash) = hash(&key) else { continue };
        out.push_str(text.get(copied..key.entry.key.start).unwrap_or_default());
        out.push_str(match key.owner {
            Owner::Administrator => "admin_password_hash = \"",
            Owner::Account(_) => "password_hash = \"",
        });
        // A PHC string has nothing that a TOML string would have to escape.
        out.push_str(&hash);
        out.push('"');
        copied = key.entry.value.end;
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    out
}

fn password_key<'d>(document: &'d Document<'_>, entry: &'d Entry) -> Option<PasswordKey<'d>> {
    let clear = match entry.path.as_str() {
        "admin_password" | "account.password" => true,
        "admin_password_hash" | "account.password_hash" => false,
        _ => return None,
    };
    if entry.path.starts_with("admin") {
        return Some(PasswordKey { owner: Owner::Administrator, clear, entry });
    }
    let neighbour = |other: &&Entry| other.table == entry.table && other.path == "account.address";
    let address = document.entries().iter().find(neighbour)?.text.as_deref()?;
    Some(PasswordKey { owner: Owner::Account(address), clear, entry })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# office\r\n\
admin_password = 'granite'   # change me\r\n\
version=1\n\
[relay]\nhost = 'r.test'\nuser = 'u'\npassword = 'stays'\n\
[[account]]\npassword = \"pen\\u0063il\"\naddress = 'alice@example.test'\n\
[[account]]\naddress = 'bob@example.test'\n\"password\" = \"\"\"\nlong\"\"\" # end\n";

    fn document_outline(text: &str) -> [u8; 32] {
        outline(text, &Document::parse(text).unwrap())
    }

    #[test]
    fn clear_passwords_are_replaced_and_nothing_else() {
        let text = without_passwords(FILE, |owner| {
            Some(match owner {
                Owner::Administrator => "$argon2id$admin".to_owned(),
                Owner::Account(address) => format!("$argon2id${}", &address[..3]),
            })
        })
        .unwrap();
        let expected = FILE
            .replace("admin_password = 'granite'", "admin_password_hash = \"$argon2id$admin\"")
            .replace("password = \"pen\\u0063il\"", "password_hash = \"$argon2id$ali\"")
            .replace("\"password\" = \"\"\"\nlong\"\"\"", "password_hash = \"$argon2id$bob\"");
        assert_eq!(text, expected);
        assert_eq!(document_outline(&text), document_outline(FILE));
        assert_eq!(without_passwords(&text, |_| Some("again".to_owned())), None);
    }

    #[test]
    fn a_password_without_a_hash_stays() {
        let text = without_passwords(FILE, |owner| {
            (owner == Owner::Account("bob@example.test")).then(|| "$argon2id$b".to_owned())
        });
        let text = text.unwrap();
        assert!(text.contains("granite") && text.contains("pen\\u0063il") && !text.contains("long"));
        assert_eq!(without_passwords(FILE, |_| None), None);
    }

    #[test]
    fn inline_tables_too() {
        let file = "account = [ {address = \"a@b.test\", password = 'x'}, {address=\"c@b.test\"} ]";
        let text = without_passwords(file, |_| Some("$h".to_owned())).unwrap();
        assert_eq!(
            text,
            "account = [ {address = \"a@b.test\", password_hash = \"$h\"}, {address=\"c@b.test\"} ]"
        );
    }

    #[test]
    fn the_outline_is_everything_but_passwords() {
        let changed =
            |from: &str, to: &str| document_outline(&FILE.replace(from, to)) != document_outline(FILE);
        assert!(!changed("granite", "marble"));
        assert!(!changed("'granite'", "\"marble\""));
        assert!(changed("stays", "goes"));
        assert!(changed("bob@", "carol@"));
        assert!(changed("# end", "# END"));
    }
}
