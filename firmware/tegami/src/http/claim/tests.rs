//! Tests of the code and of reading the form.

use ring::rand::SystemRandom;

use super::*;

const ALL: Missing = Missing { domain: true, account: true, administrator: true };

fn code() -> Code {
    Code::new(&SystemRandom::new()).unwrap()
}

#[test]
fn a_code_is_ten_digits_of_base32_and_another_each_time() {
    let texts: Vec<String> = (0..50).map(|_| code().text().to_owned()).collect();
    for text in &texts {
        assert!(text.len() == 10 && text.bytes().all(|digit| ALPHABET.contains(&digit)), "{text}");
    }
    let first = texts.first().unwrap();
    assert!(texts.iter().skip(1).all(|text| text != first));
}

#[test]
fn a_code_is_taken_however_it_is_typed() {
    let mut code = code();
    code.code = "ABCOI2345B".to_owned();
    for typed in
        ["ABCOI2345B", "abcoi-2345b", " abc0 1234 5 8".replace("1234 5 8", "12345 8").as_str(), "ABC01-23458"]
    {
        assert_eq!(code.check(typed, Instant::now()), Ok(()), "{typed}");
    }
    for typed in ["", "ABCOI2345", "ABCOI2345BB", "手紙"] {
        let mut fresh = Code { code: code.code.clone(), ..self::code() };
        assert_eq!(fresh.check(typed, Instant::now()), Err(CodeRefusal::Wrong), "{typed}");
    }
}

#[test]
fn after_five_wrong_ones_the_right_one_waits_too() {
    let mut code = code();
    let right = code.text().to_owned();
    let start = Instant::now();
    let mut now = start;
    let mut pauses = Vec::new();
    for _ in 0..6 {
        for _ in 0..CODE_TRIES {
            assert_eq!(code.check("wrong", now), Err(CodeRefusal::Wrong));
        }
        let Err(CodeRefusal::Pause(seconds)) = code.check(&right, now) else { panic!("no pause") };
        pauses.push(seconds);
        now += Duration::from_secs(seconds);
    }
    assert_eq!(pauses, [61, 121, 241, 481, 901, 901]);
    assert_eq!(code.check(&right, now), Ok(()));
}

fn form(pairs: &[(&str, &str)]) -> Form {
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(pairs);
    Form::read(body.finish().as_bytes())
}

const RIGHT: &[(&str, &str)] = &[
    ("domain", " Example.Test "),
    ("account", "hanako"),
    ("password", "pencil pencil"),
    ("password_again", "pencil pencil"),
    ("admin_password", "granite granite"),
    ("admin_password_again", "granite granite"),
];

fn with(field: &str, value: &'static str) -> Form {
    let pairs: Vec<_> =
        RIGHT.iter().map(|(name, old)| (*name, if *name == field { value } else { *old })).collect();
    form(&pairs)
}

#[test]
fn a_form_makes_domain_account_and_administrator() {
    let order = order(&form(RIGHT), ALL, &[]).unwrap();
    assert_eq!(order.domain.as_deref(), Some("example.test"));
    let (address, password) = order.account.unwrap();
    assert_eq!((address.as_str(), password.expose()), ("hanako@example.test", "pencil pencil"));
    assert_eq!(order.administrator.unwrap().expose(), "granite granite");
}

#[test]
fn each_wrong_field_is_named() {
    for (field, value, wrong, text) in [
        ("domain", "", Field::Domain, Text::ClaimDomainWanted),
        ("domain", "office", Field::Domain, Text::ClaimDomainWanted),
        ("domain", "例え.test", Field::Domain, Text::ClaimDomainWanted),
        ("account", "", Field::Account, Text::ClaimAccountWanted),
        ("account", "a b", Field::Account, Text::ClaimAccountCharacter),
        ("account", "hanako@other.test", Field::Account, Text::ClaimAccountDomain),
        ("password", "short", Field::Password, Text::ClaimPasswordShort),
        ("password_again", "pencil", Field::PasswordAgain, Text::ClaimPasswordAgain),
        ("admin_password", "", Field::Administrator, Text::ClaimPasswordShort),
        ("admin_password_again", "", Field::AdministratorAgain, Text::ClaimPasswordAgain),
        ("admin_password", "with\u{7}bell and more", Field::Administrator, Text::ClaimPasswordLong),
    ] {
        let errors = order(&with(field, value), ALL, &[]).unwrap_err();
        assert_eq!(errors, [FieldError { field: wrong, text }], "{field}={value}");
    }
    assert_eq!(order(&Form::default(), ALL, &[]).unwrap_err().len(), 4);
}

#[test]
fn what_is_there_is_not_asked_for() {
    let only = Missing { domain: false, account: false, administrator: true };
    let order_ = order(&form(RIGHT), only, &["x.test".to_owned()]).unwrap();
    assert!(order_.domain.is_none() && order_.account.is_none() && order_.administrator.is_some());

    let account = Missing { domain: false, account: true, administrator: false };
    let one = ["x.test".to_owned()];
    let two = ["x.test".to_owned(), "y.test".to_owned()];
    let made = |typed, domains: &[String]| {
        order(&with("account", typed), account, domains).map(|order| order.account.unwrap().0.to_string())
    };
    assert_eq!(made("hanako", &one).unwrap(), "hanako@x.test");
    assert_eq!(made("hanako@X.test", &one).unwrap(), "hanako@X.test");
    assert_eq!(made("hanako@y.test", &two).unwrap(), "hanako@y.test");
    assert_eq!(made("hanako", &two).unwrap_err().first().unwrap().text, Text::ClaimAccountWanted);
}
