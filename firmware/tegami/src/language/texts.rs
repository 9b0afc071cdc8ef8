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
    FileNumberRange: "a whole number from {0} to {1} is needed", "{0} から {1} までの整数を書いてください";
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
    FileCertificates: "certificates as text (PEM) are needed, each from -----BEGIN CERTIFICATE----- to \
        -----END CERTIFICATE-----, 32 KiB at most and nothing else",
        "証明書のテキスト（PEM）を、-----BEGIN CERTIFICATE----- から -----END CERTIFICATE----- まで書いてください。\
        ほかのものは入れられません。32 KiB までです";
    FileHalfLogin: "user and password belong together", "user と password は両方書いてください";
    FileClearPassword: "with tls = \"none\" anybody on the way could read the password: say \"starttls\", or leave user and password out",
        "tls = \"none\" ではパスワードが途中で読まれるおそれがあります。\"starttls\" にするか、user と password を消してください";
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
    ProvisionAliasesOutside: "Aliases that lead outside: {0}. Mail for them is forwarded to other servers.",
        "外部宛てのエイリアスが {0} 件あります。それらへのメールは外部のサーバーへ転送します";
    ProvisionNextHops: "Next hops for outgoing mail: {0}. Mail for elsewhere goes through them.",
        "送信先サーバーの設定が {0} 件あります。外部へのメールはそれらのサーバーを通して送ります";
    ProvisionDevices: "Devices allowed to send without TLS and without a password: {0}. Each use is logged.",
        "TLS とパスワードなしで送信できる機器が {0} 件あります。使われるたびに記録します";

    // ---- Addresses ---------------------------------------------------------------------------------------------
    AddressTooLong: "the address is too long", "アドレスが長すぎます";
    AddressIncomplete: "an address has the form name@example.com", "アドレスは name@example.com の形で書きます";
    AddressCharacter: "the address has a character that cannot stand there", "アドレスに使えない文字があります";

    // ---- Every page --------------------------------------------------------------------------------------------
    PageLanguage: "Language", "言語";
    PageFooter: "Tegami, the mail server that you plug in", "Tegami（手紙）― つなぐだけのメールサーバー";
    PlainBack: "To the first page", "最初のページへ";
    PlainNotHere: "This page answers devices on the same network only. Open it from there, by the box's local address.",
        "このページは同じネットワークの機器からだけ開けます。社内や家庭内の機器から、この機器のローカルアドレスで開いてください。";
    PlainNoHost: "The request does not say which host it is for.", "どのホスト宛ての要求なのか分かりません。";
    PlainOtherName: "This box does not go by that name. Open it by its address or by its .local name.",
        "この機器にその名前は付いていません。IP アドレスか .local の名前で開いてください。";
    PlainNotFound: "There is no such page here.", "このページはありません。";
    PlainNotAllowed: "That cannot be done with this page.", "このページではその操作はできません。";
    PlainForeignForm: "The form was sent from a page that is not this box's.",
        "このフォームは、この機器のページから送られたものではありません。";
    PlainNoForm: "A form is needed here.", "ここにはフォームを送ってください。";
    PlainTooLarge: "The form is too large.", "フォームが大きすぎます。";
    PlainTooSlow: "The form did not arrive in time.", "フォームが時間内に届きませんでした。";

    // ---- The first page ----------------------------------------------------------------------------------------
    StateTitle: "State", "状態";
    StateClaimed: "Your mail server is running", "メールサーバーは動いています";
    StateClaimedMore: "Mail programs on computers and telephones can use it. Here is what to type into them.",
        "パソコンやスマートフォンのメールソフトから使えます。設定の内容はこちらです。";
    StateMailLink: "Settings for mail programs", "メールソフトの設定";
    StateUnclaimed: "This mail server has not been set up yet", "このメールサーバーはまだ設定されていません";
    StateUnclaimedMore: "It needs a domain, a first account and an administrator's password. Have the ten-character \
        code at hand that stands on its console and on its card.",
        "ドメイン、最初のアカウント、管理者のパスワードを決めます。コンソールとカードに表示されている 10 文字のコードを用意してください。";
    StateClaimLink: "Set it up", "設定を始める";
    StateNoAdministrator: "The administrator needs a password", "管理者のパスワードを決めてください";
    StateNoAdministratorMore: "Mail is served as before. Have the ten-character code at hand that stands on the box's \
        console and on its card.",
        "メールはいつもどおり使えます。コンソールとカードに表示されている 10 文字のコードを用意してください。";
    StateAdministratorLink: "Choose a password", "パスワードを決める";
    StateWarningAhead: "Your browser will warn you once, because it does not know this box yet. Have it show the \
        certificate, compare its issuer's fingerprint with the one on the console, and continue only if they are the same.",
        "ブラウザーはこの機器をまだ知らないため、一度だけ警告します。証明書を表示し、発行者のフィンガープリントがコンソールの表示と同じときだけ先へ進んでください。";
    StateReadOnly: "The flash takes no more writes. Mail can be read, but none is accepted: copy it and exchange the card.",
        "フラッシュに書き込めなくなりました。メールは読めますが、受け取れません。メールを写してから、カードを交換してください。";
    StateDamaged: "Places on the flash that could not be read: {0}. Everything else is fine; think about another card.",
        "フラッシュに読み取れない箇所が {0} か所あります。ほかは無事です。カードの交換を考えてください。";
    StateDamagedLetters: "Places on the flash that could not be read: {0}. Letters that are damaged: {1}; the box's log \
        names them. Everything else is fine; copy the mail and think about another card.",
        "フラッシュに読み取れない箇所が {0} か所あり、メール {1} 通が壊れています（ログに一覧があります）。ほかは無事です。\
        メールを写し、カードの交換を考えてください。";
    StateRetired: "Parts of the flash that failed and are not used any more: {0}. The mail in them was moved as far as it \
        could be read. Cards that begin to fail often fail soon: copy the mail and think about another card.",
        "フラッシュのうち {0} か所が故障し、使うのをやめました。そこにあったメールは、読めるかぎり別の場所へ移しました。\
        故障し始めたカードは長く持たないことがあります。メールを写し、カードの交換を考えてください。";
    StateWorn: "About {0} % of the life of the flash is used up. Copy the mail and exchange the card in the next months.",
        "フラッシュの寿命のおよそ {0} % を使いました。数か月のうちにメールを写し、カードを交換してください。";
    StateFilling: "The flash is nearly full. When it is full, new mail is refused until some is deleted.",
        "フラッシュの空きが少なくなりました。いっぱいになると、メールを消すまで新しいメールを受け取れません。";
    StateNoAddress: "The box has no address on the network: is the cable plugged in, and does the router give addresses?",
        "ネットワークのアドレスがありません。ケーブルと、ルーターの DHCP を確かめてください。";
    StateClockUnknown: "The box does not know the time yet. It asks time servers as soon as the network lets it.",
        "まだ正しい時刻が分かりません。ネットワークにつながり次第、時刻サーバーに尋ねます。";
    StateProvisionWrong: "The provision file was not applied; everything is as before. In {0}.",
        "設定ファイルは適用されませんでした。以前のまま動いています。{0}";
    StateServices: "Services", "サービス";
    StateService: "Service", "サービス";
    StatePort: "Port", "ポート";
    StateHow: "State", "状態";
    StateRuns: "running", "動作中";
    StateWaits: "waits for set-up", "設定待ち";
    StateStopped: "not running", "停止中";
    ServiceReceiving: "Receiving mail", "メールの受信";
    ServiceSending: "Sending mail", "メールの送信";
    ServiceImap: "IMAP", "IMAP";
    ServicePop3: "POP3", "POP3";
    ServicePage: "This page", "このページ";
    ServiceStartTls: "STARTTLS", "STARTTLS";
    ServiceNoTls: "not encrypted", "暗号化なし";
    StateStorage: "Storage", "保存容量";
    StateUsed: "{0} of {1} used", "{1} のうち {0} を使用";
    StateMessages: "Messages: {0}", "メール：{0} 通";
    StateNetwork: "Network", "ネットワーク";
    NetworkName: "Name", "名前";
    NetworkAddresses: "Addresses", "アドレス";
    NetworkHow: "Configured", "設定方法";
    NetworkGateway: "Router", "ルーター";
    NetworkDomains: "Mail domains", "メールのドメイン";
    NetworkHosted: "by the computer that this program runs on", "このプログラムが動くコンピューターによる";
    NetworkWaiting: "waiting for an address (DHCP)", "アドレスを待っています（DHCP）";
    NetworkDhcp: "automatically (DHCP)", "自動（DHCP）";
    NetworkFixed: "fixed, by the provision file", "固定（設定ファイル）";
    StateAbout: "This box", "この機器";
    StateClock: "Clock", "時計";
    StateClockGuess: "(at the earliest)", "（これより後の時刻）";
    StateTime: "{0} ({1})", "{0}（{1}）";
    StateMemory: "Memory", "メモリー";
    StateMemoryFree: "{0} of {1} free; Tegami uses {2}", "{1} のうち {0} が空き、Tegami が {2} を使用";
    StateUp: "Running for", "稼働時間";
    StateUpSeconds: "{0} seconds", "{0} 秒";
    StateUpMinutes: "{0} minutes", "{0} 分";
    StateUpHours: "{0} hours", "{0} 時間";
    StateUpDays: "{0} days", "{0} 日";
    StateVersion: "Version", "バージョン";
    StateTrust: "Certificate of this box", "この機器の証明書";
    StateTrustWhy: "Install it once on each computer and telephone, and they will trust this box without warnings. It \
        can vouch for this box's own names and for private addresses, and for nothing else.",
        "パソコンやスマートフォンに一度入れておくと、警告なしにこの機器を信頼します。この証明書が保証できるのは、この機器の名前とプライベートアドレスだけです。";
    StateFingerprint: "Fingerprint (SHA-256)", "フィンガープリント（SHA-256）";
    StateDownloadCrt: "Certificate (.crt)", "証明書（.crt）";
    StateDownloadPem: "Certificate (.pem)", "証明書（.pem）";

    // ---- The letter about the flash ----------------------------------------------------------------------------
    HealthSubject: "The flash of your mail server {0} needs attention", "メールサーバー {0} のフラッシュを確認してください";
    HealthIntro: "This is your mail server {0}. There is something to be known about the flash that keeps the mail:",
        "メールサーバー {0} からのお知らせです。メールを保管しているフラッシュについて、次のことが分かりました。";
    HealthLetter: "damaged: {0}, mailbox {1}, UID {2}", "壊れたメール：{0}、メールボックス {1}、UID {2}";
    HealthQueued: "damaged: number {0} of the letters to be sent, as `tegami queue` lists them",
        "壊れたメール：送信待ちの {0} 番（tegami queue の一覧の番号）";
    HealthNext: "The first page of the box, http://{0}/, shows how it is now. To be safe, copy the mail with a mail program, or \
        with `tegami export` when the card is in a computer.",
        "現在の状態は、この機器の最初のページ http://{0}/ で確かめられます。念のため、メールソフトでメールを写しておくか、カードを\
        パソコンに入れて tegami export で取り出してください。";
    HealthOnce: "You get one such letter for each kind of trouble, not one a day.",
        "このお知らせは、同じことについては一度だけ送ります。";

    // ---- A mailbox that is nearly full -------------------------------------------------------------------------
    QuotaSubject: "Your mailbox is {0} % full", "メールボックスの使用量が {0} % になりました";
    QuotaIntro: "This is your mail server {0}. Your mailbox is {1} % full: {2} of {3}.",
        "メールサーバー {0} からのお知らせです。メールボックスの使用量が {1} % になりました（{3} のうち {2}）。";
    QuotaThen: "When it is full, new mail for you is not taken; its senders' servers keep it and try again for some days, then it \
        goes back.",
        "いっぱいになると、あなた宛ての新しいメールを受け取れなくなります。送信側のサーバーが数日間は再送を試みますが、その後は差出人に戻されます。";
    QuotaNext: "Delete mail that you no longer need, large attachments first, and empty the trash; or ask whoever looks after \
        the server for more room.",
        "不要なメールを、添付ファイルの大きなものから削除し、ごみ箱も空にしてください。容量を増やしたいときは、サーバーの管理者にご相談ください。";

    // ---- The letter about a destination that lost TLS ----------------------------------------------------------
    TlsLostSubject: "Mail to {0} is no longer encrypted on its way", "{0} 宛てのメールが、配送中に暗号化されなくなりました";
    TlsLostIntro: "This is your mail server {0}. Mail to {1} used to be encrypted on its way there; now the server there offers \
        no encryption (TLS), and mail goes in clear.",
        "メールサーバー {0} からのお知らせです。これまで {1} 宛てのメールは暗号化（TLS）して送っていましたが、相手のサーバーが TLS に対応しなくなったため、暗号化せずに送っています。";
    TlsLostThen: "This may be a change over there, or somebody on the way who wants to read along. Mail is still delivered.",
        "相手側の設定変更のほか、途中で第三者が通信を盗み見ようとしている可能性もあります。メールの配送は続けています。";
    TlsLostNext: "If it surprises you, ask whoever looks after {0}. To send nothing there without encryption, add a [[route]] \
        for that domain with tls = \"starttls\".",
        "心当たりがないときは、{0} の管理者にお問い合わせください。暗号化なしでは送らないようにするには、設定ファイルにこのドメインの [[route]] を tls = \"starttls\" で追加してください。";

    // ---- A flash that cannot be used ---------------------------------------------------------------------------
    AilingTitle: "No mail is served: the flash cannot be used", "フラッシュを使えないため、メールは止まっています";
    AilingNotAStore: "What is on the flash is not a mail store of Tegami, or its beginning is damaged.",
        "フラッシュにあるものは Tegami のメールの保管場所ではないか、先頭が壊れています。";
    AilingNewer: "The mail on the flash was stored by a newer version of Tegami (in format {0}).",
        "フラッシュのメールは、もっと新しい版の Tegami が保存したものです（形式 {0}）。";
    AilingOlder: "The mail on the flash was stored by an older version of Tegami (in format {0}), which this one does not read.",
        "フラッシュのメールは、古い版の Tegami が保存したもので（形式 {0}）、この版では読めません。";
    AilingCutShort: "Part of the flash is missing: the mail store takes {0}, and there are only {1}.",
        "フラッシュの一部がありません。メールの保管場所は {0} ですが、{1} しかありません。";
    AilingGeometry: "The mail store on the flash was made for another kind of flash.",
        "フラッシュのメールの保管場所は、別の種類のフラッシュのために作られたものです。";
    AilingTooSmall: "The flash is too small to keep mail.", "フラッシュが小さすぎて、メールを保管できません。";
    AilingUnreadable: "The flash could not be read: {0}.", "フラッシュを読み取れませんでした（{0}）。";
    AilingNotMade: "The new flash could not be prepared: {0}.", "新しいフラッシュを準備できませんでした（{0}）。";
    AilingNoMail: "Until that is settled no mail is served; other servers keep what they have for it and try again.",
        "解決するまでメールは使えません。ほかのサーバーは宛てたメールを預かり、後でもう一度送ってきます。";
    AilingUntouched: "Nothing on it has been changed. Until that is settled no mail is served; other servers keep what \
        they have for it and try again.",
        "フラッシュには何も書き込んでいません。解決するまでメールは使えません。ほかのサーバーは宛てたメールを預かり、後でもう一度送ってきます。";
    AilingNextNotAStore: "Is the right card or disk in the box? Then switch the box off, and copy the whole card with a \
        computer if there was mail on it. To begin anew, write the Tegami image to the card; that erases it.",
        "正しいカードやディスクが入っていますか。入っていれば電源を切り、メールがあったカードなら、まず全体をパソコンで複製してください。\
        最初から始めるには Tegami のイメージをカードに書き込みます（カードの内容は消えます）。";
    AilingNextNewer: "Start the box with that version of Tegami or a later one. Do not write a card image to this card: \
        that would erase the mail.",
        "その版か、それより新しい Tegami で起動してください。このカードにイメージを書き込むとメールが消えます。";
    AilingNextOlder: "Start the box with the version that was in it before. Do not write a card image to this card: that \
        would erase the mail.",
        "前に使っていた版の Tegami で起動してください。このカードにイメージを書き込むとメールが消えます。";
    AilingNextCutShort: "Was the card copied? Copy it again, all of it, to a card that is at least as large.",
        "カードを複製しましたか。同じ大きさ以上のカードに、全体をもう一度複製してください。";
    AilingNextGeometry: "Put the card back into the box in which it was used.", "使っていた機器にカードを戻してください。";
    AilingNextTooSmall: "Use a larger card or disk.", "もっと大きなカードかディスクを使ってください。";
    AilingNextUnreadable: "Switch the box off, push card and plugs in firmly, and switch it on again. If that does not \
        help, copy the card to a new one with a computer.",
        "電源を切り、カードやコネクターをしっかり差し直してから、もう一度電源を入れてください。直らなければ、パソコンで新しいカードに複製してください。";
    AilingNextNotMade: "Switch the box off and on again. If that does not help, write the Tegami image to another card.",
        "電源を入れ直してください。直らなければ、Tegami のイメージを別のカードに書き込んでください。";

    // ---- Claiming ----------------------------------------------------------------------------------------------
    ClaimTitle: "Set up this mail server", "メールサーバーの設定";
    ClaimIntro: "This takes a minute. What you choose here can be changed and added to later.",
        "1 分ほどで終わります。ここで決めたことは、後から変更や追加ができます。";
    ClaimCodeLegend: "Show that it is yours", "持ち主の確認";
    ClaimCode: "Code", "コード";
    ClaimCodeHint: "Ten letters and digits, on the console and in the file on the card. It is another one after each start.",
        "コンソールとカードのファイルにある 10 文字の英数字です。起動するたびに変わります。";
    ClaimCodeWrong: "This is not the code. Look at it again: it changes whenever the box is started.",
        "コードが違います。起動するたびに変わるので、もう一度確かめてください。";
    ClaimDomainLegend: "Domain", "ドメイン";
    ClaimDomain: "What stands behind the @", "@ の後ろの部分";
    ClaimDomainHint: "Your own domain, or any name such as office.example.com as long as mail stays in the house.",
        "お持ちのドメインです。社内だけで使うなら office.example.com のような名前でもかまいません。";
    ClaimDomainWanted: "A domain such as example.com is needed. Other scripts are written in their xn-- form.",
        "example.com のようなドメイン名を書いてください。日本語ドメインは xn-- の形で書きます。";
    ClaimAccountLegend: "First account", "最初のアカウント";
    ClaimAccount: "Name", "名前";
    ClaimAccountHint: "What stands before the @, such as hanako. More accounts can follow.",
        "hanako のような、@ の前の部分です。アカウントは後から追加できます。";
    ClaimAccountHintOne: "What stands before @{0}, such as hanako.", "hanako のような、@{0} の前の部分です。";
    ClaimAccountHintMany: "A whole address in one of these domains: {0}",
        "次のどれかのドメインのメールアドレス全体を書いてください：{0}";
    ClaimAccountWanted: "A name is needed here, such as hanako.", "hanako のような名前を書いてください。";
    ClaimAccountLong: "The name is too long.", "名前が長すぎます。";
    ClaimAccountCharacter: "There is a character in the name that cannot stand there.", "名前に使えない文字があります。";
    ClaimAccountDomain: "The address is not in a domain of this box.", "この機器のドメインのアドレスではありません。";
    ClaimAdministratorLegend: "Administrator", "管理者";
    ClaimAdministratorHint: "For this page only, and another one than the account's. Keep it in a safe place.",
        "このページ専用です。アカウントとは別のものにして、大切に保管してください。";
    ClaimPassword: "Password", "パスワード";
    ClaimAgain: "The same password again", "パスワード（もう一度）";
    ClaimPasswordHint: "{0} characters or more. A few words are good.", "{0} 文字以上。いくつかの単語をつなげると丈夫です。";
    ClaimPasswordShort: "Eight characters are needed at least.", "8 文字以上にしてください。";
    ClaimPasswordLong: "This cannot be a password: it is too long, or has control characters in it.",
        "長すぎるか、制御文字があるため、パスワードにできません。";
    ClaimPasswordAgain: "The two are not the same. Please type both again.", "2 つが一致しません。両方とも入力し直してください。";
    ClaimSubmit: "Set up", "設定する";
    ClaimSubmitHint: "Making the passwords safe takes a few seconds.", "パスワードの保護処理に数秒かかります。";
    ClaimLookAgain: "Some things have to be changed. Passwords have to be typed again.",
        "直すところがあります。パスワードはもう一度入力してください。";
    ClaimCompareTitle: "Is this really your box?", "本当にお手元の機器ですか？";
    ClaimCompare: "Before you type a password: the certificate that your browser shows for this page must have \
        been issued by the one with this fingerprint, and the console must show the same.",
        "パスワードを入力する前に確かめてください。ブラウザーが示すこのページの証明書は、このフィンガープリントの証明書が発行したものです。コンソールにも同じものが表示されています。";
    ClaimPause: "Too many wrong codes. Please try again in {0} seconds.",
        "コードの間違いが続きました。{0} 秒後にもう一度試してください。";
    ClaimOldForm: "This form is too old, or cookies are switched off. Please fill it in once more.",
        "フォームが古いか、クッキーが無効です。もう一度入力してください。";
    ClaimBusy: "Somebody is setting up this box at this moment.", "今、ほかの人がこの機器を設定しています。";
    ClaimNoHash: "The box is too busy to make the passwords safe. Please try again.",
        "混み合っていてパスワードを保護できませんでした。もう一度試してください。";
    ClaimNoStore: "The flash did not take the settings. Please try again; if it happens again, exchange the card.",
        "設定を保存できませんでした。もう一度試し、だめならカードを交換してください。";

    // ---- Settings for mail programs ----------------------------------------------------------------------------
    MailTitle: "Settings for mail programs", "メールソフトの設定";
    MailIntro: "Add an account to the mail program and choose to set it up by hand.",
        "メールソフトでアカウントを追加し、手動での設定を選んでください。";
    MailWelcome: "Done: this mail server is yours, and it serves.", "完了しました。メールサーバーが使えるようになりました。";
    MailWelcomeCertificate: "The box has a certificate for your domain now, so the browser warns once more. The \
        fingerprint to compare is the one below; the console shows it too.",
        "ドメインに合わせて証明書を作り直したため、ブラウザーがもう一度警告します。比べるフィンガープリントは下のものです。コンソールにも表示されます。";
    MailAccount: "Account", "アカウント";
    MailUser: "User name", "ユーザー名";
    MailWholeAddress: "the whole address", "メールアドレス全体";
    MailFor: "such as {0}", "例：{0}";
    MailPassword: "Password", "パスワード";
    MailPasswordWhich: "the account's, not the administrator's", "アカウントのもの（管理者のものではありません）";
    MailImap: "Reading: IMAP", "受信：IMAP";
    MailImapHint: "Recommended: mail stays here, and every device shows the same.",
        "おすすめ。メールはこの機器に残り、どの端末でも同じ内容が見えます。";
    MailPop3: "Or fetching: POP3", "または受信：POP3";
    MailPop3Hint: "Mail is moved to one computer.", "メールを 1 台のパソコンに取り込みます。";
    MailSmtp: "Sending: SMTP", "送信：SMTP";
    MailServer: "Server", "サーバー";
    MailPortAndSecurity: "Port, security", "ポートと暗号化";
    MailOr: "or", "または";
    MailInstall: "Trust", "証明書を入れる";
    MailInstallWhy: "So that no program warns, install this box's certificate on each device.",
        "警告が出ないように、端末ごとにこの機器の証明書を入れます。";
    MailInstallIos: "iPhone, iPad: open the .crt in Safari, then Settings > General > VPN & Device Management to install \
        it, then General > About > Certificate Trust Settings to switch it on.",
        "iPhone・iPad：Safari で .crt を開き、「設定」→「一般」→「VPN とデバイス管理」でインストールしてから、「一般」→「情報」→「証明書信頼設定」でオンにします。";
    MailInstallAndroid: "Android: download the .crt, then Settings > Security > Install a certificate > CA certificate.",
        "Android：.crt をダウンロードし、「設定」→「セキュリティ」→「証明書のインストール」→「CA 証明書」を選びます。";
    MailInstallWindows: "Windows, macOS: open the .crt; put it under Trusted Root Certification Authorities, or into the \
        System keychain set to Always Trust.",
        "Windows・macOS：.crt を開き、「信頼されたルート証明機関」に入れるか、キーチェーンの「システム」に入れて「常に信頼」にします。";
    MailInstallThunderbird: "Thunderbird: Settings > Privacy & Security > Manage Certificates > Authorities > Import, with \
        the .pem.",
        "Thunderbird：「設定」→「プライバシーとセキュリティ」→「証明書を管理」→「認証局証明書」で .pem をインポートします。";
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
            let has_words = english.chars().any(|c| c.is_ascii_alphabetic());
            assert!(!has_words || english == japanese || japanese.chars().any(is_kana), "{japanese}");
        }
    }
}
