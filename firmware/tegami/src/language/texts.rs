//! Every text that a person reads, in both languages. Values go where `{0}`, `{1}` stand; see [`super::fill`].

use super::Language;

/// Declares the texts: a name, English, Japanese. Leaving one out does not compile.
macro_rules! texts {
    ($($name:ident: $english:literal, $japanese:literal;)*) => {
        /// A text in both languages.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Text { $(#[doc = $english] $name,)* }

        impl Text {
            /// The text in one language.
            pub(crate) const fn say(self, language: Language) -> &'static str {
                match (self, language) {
                    $((Self::$name, Language::English) => $english, (Self::$name, Language::Japanese) => $japanese,)*
                }
            }

            /// All of them.
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

texts! {
    // ---- What is wrong with a provision file -------------------------------------------------------------------
    FileLineKey: "line {0}, {1}: {2}", "{0} 行目の {1}：{2}";
    FileLine: "line {0}: {1}", "{0} 行目：{1}";
    FileTooLarge: "the file is larger than 512 KiB", "ファイルが 512 KiB を超えています";
    FileNotUtf8: "the file is not in UTF-8; save it again in that encoding",
        "ファイルが UTF-8 ではありません。UTF-8 で保存し直してください";
    FileSyntax: "this is not TOML ({0})", "TOML として読めません（{0}）";
    FileUnknownKey: "there is no such key here; check the spelling and the table that it stands in",
        "このような項目はありません。つづりと、どの表の中にあるかを確かめてください";
    FileType: "the value is of the wrong kind ({0})", "値の種類が違います（{0}）";
    FileMissing: "this key must be there", "この項目は省けません";
    FileVersion: "only version 1 is known here", "ここで使えるのは version = 1 だけです";
    FileTooMany: "there may be {0} at most", "最大 {0} 個までです";
    FileDomainName: "a domain name such as example.com is needed; other scripts are written in their xn-- form",
        "example.com のようなドメイン名を書いてください。日本語ドメインは xn-- の形で書きます";
    FileForeignDomain: "{0} is not a domain of this box; add a [[domain]] for it",
        "{0} はこの機器のドメインではありません。[[domain]] に加えてください";
    FileDuplicate: "the same is already on line {0}", "{0} 行目と重複しています";
    FileAlsoAccount: "this address is an account; an alias needs another one",
        "このアドレスはアカウントです。エイリアスには別のアドレスを使ってください";
    FileTargetItself: "the alias leads to itself", "エイリアスの宛先が自分自身です";
    FileEmpty: "the list must not be empty", "リストを空にはできません";
    FileNoSuchTarget: "there is no account or alias {0}", "{0} というアカウントもエイリアスもありません";
    FileSize: "a size is a whole number with KiB, MiB or GiB, such as 50MiB",
        "サイズは 50MiB のように、整数に KiB、MiB、GiB を付けて書きます";
    FileSizeRange: "the size must be between {0} and {1}", "サイズは {0} から {1} までです";
    FileLanguage: "write \"en\" or \"ja\"", "\"en\" か \"ja\" と書いてください";
    FileTimeZone: "there is no such time zone; write a name such as Asia/Tokyo",
        "このような時間帯はありません。Asia/Tokyo のような名前を書いてください";
    FileCidr: "an IPv4 address with the length of its network is needed, such as 192.168.1.10/24",
        "192.168.1.10/24 のように、IPv4 アドレスとネットワークの長さを書いてください";
    FileHostAddress: "no host can have this address in its network", "このアドレスは機器に付けられません";
    FileIpAddress: "an IP address is needed, such as 192.168.1.1",
        "192.168.1.1 のような IP アドレスを書いてください";
    FileServer: "an IP address is needed, with or without a port, such as 192.168.1.1 or 192.168.1.1:53",
        "192.168.1.1 や 192.168.1.1:53 のような IP アドレスを書いてください";
    FileGateway: "the gateway is not another host of the same network", "ゲートウェイが同じネットワークにありません";
    FileGatewayAlone: "a gateway needs an address beside it; without both, DHCP is used",
        "gateway には address も必要です。どちらもなければ DHCP を使います";
    FileHost: "a host name or an IP address is needed", "ホスト名か IP アドレスを書いてください";
    FilePort: "a port is a number from 1 to 65535", "ポートは 1 から 65535 までの数です";
    FileTls: "write \"starttls\", \"implicit\", \"opportunistic\" or \"none\"",
        "\"starttls\"、\"implicit\"、\"opportunistic\"、\"none\" のどれかを書いてください";
    FileHalfLogin: "user and password belong together", "user と password は両方書いてください";
    FilePasswordForm: "this must not be empty, longer than 512 bytes, or have control characters in it",
        "空にはできません。512 バイトまでで、制御文字は使えません";
    FilePasswordTwice: "give either the password or its hash, not both",
        "password と password_hash はどちらか一方だけにしてください";
    FilePasswordHash: "a hash has the form $argon2id$v=19$m=...,t=...,p=...$salt$hash",
        "ハッシュは $argon2id$v=19$m=...,t=...,p=...$salt$hash の形で書きます";
    FilePasswordHashCost: "this hash needs more memory or time than the box gives to a log-in; use at most m=32768",
        "このハッシュはメモリーか時間を使いすぎます。m=32768 以下で作ってください";
    FileRouteToItself: "mail for this domain is kept on this box and needs no route",
        "このドメインのメールはこの機器に届くので、経路は要りません";

    // ---- What applying it did ----------------------------------------------------------------------------------
    ProvisionApplied: "The provision file was applied: domains {0}, accounts {1}, aliases {2}.",
        "設定ファイルを適用しました。ドメイン {0}、アカウント {1}、エイリアス {2}";
    ProvisionAliasesOutside: "Aliases that lead outside: {0}. They are kept; mail for them is refused for now, because \
        this version cannot send outside yet.",
        "外部宛てのエイリアスが {0} 件あります。登録はしましたが、この版はまだ外部へ送信できないため、今はそれらへのメールを断ります";
    ProvisionNextHops: "Next hops for outgoing mail: {0}. They are kept for the version that sends outside; this one \
        does not use them yet.",
        "送信先サーバーの設定が {0} 件あります。登録はしましたが、この版はまだ外部へ送信しないため使いません";
    ProvisionDevices: "Devices allowed to send without a password: {0}. They are kept; this version does not let them \
        in yet.",
        "パスワードなしで送る機器の設定が {0} 件あります。登録はしましたが、この版ではまだ使えません";

    // ---- Addresses ---------------------------------------------------------------------------------------------
    AddressTooLong: "the address is too long", "アドレスが長すぎます";
    AddressIncomplete: "an address has the form name@example.com", "アドレスは name@example.com の形で書きます";
    AddressCharacter: "the address has a character that cannot stand there", "アドレスに使えない文字があります";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The places for values in a text, sorted.
    fn slots(text: &str) -> Vec<&str> {
        let mut slots: Vec<_> =
            text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(slot, _)| slot).collect();
        slots.sort_unstable();
        slots
    }

    #[test]
    fn both_languages_are_full_and_take_the_same_values() {
        for text in Text::ALL {
            let [english, japanese] = Language::ALL.map(|language| text.say(language));
            assert!(!english.trim().is_empty() && !japanese.trim().is_empty(), "{text:?}");
            assert_eq!(slots(english), slots(japanese), "{text:?}");
        }
    }

    #[test]
    fn english_is_ascii_but_for_its_dashes() {
        for text in Text::ALL {
            let english = text.say(Language::English);
            assert!(english.chars().all(|c| c.is_ascii() || "–“”’…".contains(c)), "{english}");
        }
    }

    #[test]
    fn japanese_says_it_in_japanese() {
        let is_kana =
            |c: char| ('\u{3040}'..='\u{30ff}').contains(&c) || ('\u{4e00}'..='\u{9fff}').contains(&c);
        for text in Text::ALL {
            let [english, japanese] = Language::ALL.map(|language| text.say(language));
            assert!(english == japanese || japanese.chars().any(is_kana), "{japanese}");
        }
    }
}
