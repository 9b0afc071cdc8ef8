//! What happened and what to do, for each cause, in both languages.

use super::{
    cause::{Cause, Side},
    texts::{Text, text},
};

/// What a report says about a cause.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sentences {
    /// What happened.
    pub(super) reason: Text,
    /// What to do, once the letter will not be tried again.
    pub(super) advice: Text,
}

impl Cause {
    pub(super) const fn sentences(self) -> Sentences {
        match self {
            Self::NoSuchUser => NO_SUCH_USER,
            Self::NoSuchDomain => NO_SUCH_DOMAIN,
            Self::TakesNoMail => TAKES_NO_MAIL,
            Self::MailboxFull => MAILBOX_FULL,
            Self::TooLarge { side: Side::Theirs, .. } => TOO_LARGE,
            Self::TooLarge { side: Side::Ours, .. } => TOO_LARGE_HERE,
            Self::Refused => REFUSED,
            Self::Unwanted => UNWANTED,
            Self::Deferred => DEFERRED,
            Self::Greylisted => GREYLISTED,
            Self::NoConnection => NO_CONNECTION,
            Self::NoAnswer => NO_ANSWER,
            Self::NameTrouble => NAME_TROUBLE,
            Self::Loop => LOOP,
            Self::AddressScript => ADDRESS_SCRIPT,
            Self::BodyForm => BODY_FORM,
            Self::NoTls => NO_TLS,
            Self::NoRequireTls => NO_REQUIRE_TLS,
            Self::WrongCertificate => WRONG_CERTIFICATE,
            Self::LogInRefused => LOG_IN_REFUSED,
            Self::RelayRefused => RELAY_REFUSED,
            Self::Damaged => DAMAGED,
            Self::Cancelled => CANCELLED,
        }
    }
}

const OUT_OF_ORDER: Text = text(
    "Something may be out of order, over there or on the way. Please send the letter again later, or ask the recipient \
     in another way whether mail arrives.",
    "相手側のサーバーや途中の回線に、障害が起きているのかもしれません。時間をおいてもう一度お送りいただくか、電話など別の方法で相手の方にお確かめください。",
);

const ONLY_ENCRYPTED: Text = text(
    "Please tell whoever looks after this mail server. If the matter is urgent, reach the recipient in another way.",
    "このメールサーバーの管理者にお知らせください。お急ぎの場合は、電話など別の方法で相手の方にご連絡ください。",
);

const SMALLER_LETTERS: Text = text(
    "Attachments grow by about a third when they are sent. Please send them in several smaller letters, or \
                 hand over large files in another way.",
    "添付ファイルは、送るときに元の約 1.3 倍の大きさになります。何通かに分けてお送りいただくか、大きなファイルは別の方法でお渡しください。",
);

const NO_SUCH_USER: Sentences = Sentences {
    reason: text(
        "There is no mailbox with this address.",
        "このメールアドレスは、宛先のメールサーバーに見つかりませんでした。",
    ),
    advice: text(
        "Please look at the spelling of the address, above all before the @. If it is right, ask the recipient in \
                 another way which address to use.",
        "つづりに間違いがないか、特に @ より前の部分をお確かめください。間違いがなければ、相手の方が今お使いのアドレスを、電話など別の方法でお尋ねください。",
    ),
};

const NO_SUCH_DOMAIN: Sentences = Sentences {
    reason: text(
        "What stands behind the @ of this address is not to be found on the internet.",
        "このメールアドレスの @ より後ろの部分が、インターネット上に見つかりませんでした。",
    ),
    advice: text(
        "Please look at the spelling behind the @. If it is right, the name may have been given up: ask the \
                 recipient in another way which address to use.",
        "つづりに間違いがないか、お確かめください。間違いがなければ、すでに使われていないアドレスかもしれませんので、電話など別の方法で相手の方にお尋ねください。",
    ),
};

const TAKES_NO_MAIL: Sentences = Sentences {
    reason: text(
        "What stands behind the @ of this address exists, but takes no mail at all.",
        "このメールアドレスの @ より後ろの部分は存在しますが、メールをいっさい受け取らないことになっています。",
    ),
    advice: text(
        "Please look at the spelling behind the @, or ask the recipient in another way for an address that takes \
                 mail.",
        "つづりをお確かめいただくか、メールを受け取れるアドレスを、電話など別の方法で相手の方にお尋ねください。",
    ),
};

const MAILBOX_FULL: Sentences = Sentences {
    reason: text(
        "The recipient's mailbox is full.",
        "宛先のメールボックスがいっぱいで、メールを受け取れない状態です。",
    ),
    advice: text(
        "Please tell the recipient in another way to make room, and then send the letter again.",
        "電話など別の方法で相手の方にお知らせし、空きができてから、もう一度お送りください。",
    ),
};

const TOO_LARGE: Sentences = Sentences {
    reason: text(
        "The letter is larger than the recipient's mail server takes.",
        "メールが大きすぎて、宛先のメールサーバーに受け取ってもらえませんでした。",
    ),
    advice: SMALLER_LETTERS,
};

const TOO_LARGE_HERE: Sentences = Sentences {
    reason: text(
        "The letter is larger than this mail server takes.",
        "メールが大きすぎて、このメールサーバーではお取り扱いできませんでした。",
    ),
    advice: SMALLER_LETTERS,
};

const REFUSED: Sentences = Sentences {
    reason: text(
        "The recipient's mail server did not take the letter.",
        "宛先のメールサーバーに、メールを受け取ってもらえませんでした。",
    ),
    advice: text(
        "If what it said does not tell you why, please show this notice to whoever helps you with mail, or reach \
                 the recipient in another way.",
        "返答を見ても理由がお分かりにならないときは、このお知らせをメールに詳しい方に見せるか、電話など別の方法で相手の方にご連絡ください。",
    ),
};

const UNWANTED: Sentences = Sentences {
    reason: text(
        "The recipient's mail server turned the letter away by its own rules. That happens, for example, when it \
                 takes a letter for junk mail or does not trust where it comes from.",
        "宛先のメールサーバーが、独自の受け取り基準により、このメールを受け取りませんでした。迷惑メールと見なされた場合や、送信元を信用できないと判断された場合などに起こります。",
    ),
    advice: text(
        "Please reach the recipient in another way and ask to have your letters let in. If it happens with other \
                 recipients too, show this notice to whoever looks after your mail.",
        "電話など別の方法で相手の方に連絡し、受け取れるようにしてもらってください。ほかの宛先でも同じことが起こる場合は、このお知らせをメールの管理者に見せてください。",
    ),
};

const DEFERRED: Sentences = Sentences {
    reason: text(
        "The recipient's mail server says that it cannot take the letter at the moment.",
        "宛先のメールサーバーが、今はメールを受け取れないと答えています。",
    ),
    advice: OUT_OF_ORDER,
};

const GREYLISTED: Sentences = Sentences {
    reason: text(
        "The recipient's mail server asks to wait for a while, as many do with senders whom they do not know yet.",
        "宛先のメールサーバーから、しばらく待つように求められています。初めての差出人に対して、よく行われる確認です。",
    ),
    advice: text(
        "Please reach the recipient in another way and ask to have your letters let in.",
        "電話など別の方法で相手の方に連絡し、受け取れるようにしてもらってください。",
    ),
};

const NO_CONNECTION: Sentences = Sentences {
    reason: text(
        "The recipient's mail server could not be reached.",
        "宛先のメールサーバーにつながりませんでした。",
    ),
    advice: OUT_OF_ORDER,
};

const NO_ANSWER: Sentences = Sentences {
    reason: text(
        "The recipient's mail server was reached, but fell silent before it had taken the letter.",
        "宛先のメールサーバーにつながりましたが、メールを渡し終える前に応答がなくなりました。",
    ),
    advice: OUT_OF_ORDER,
};

const NAME_TROUBLE: Sentences = Sentences {
    reason: text(
        "It could not be found out where mail for this address has to go, because the internet's directory of \
                 names did not answer.",
        "インターネットの名前を調べる仕組みから返答がなく、メールの届け先が分かりませんでした。",
    ),
    advice: text(
        "As a rule this passes: please send the letter again later. If it happens with every recipient, tell \
                 whoever looks after this mail server.",
        "多くの場合は一時的なものですので、時間をおいてもう一度お送りください。どの宛先でも同じことが起こる場合は、このメールサーバーの管理者にお知らせください。",
    ),
};

const LOOP: Sentences = Sentences {
    reason: text(
        "The letter went round in circles, because mail servers kept passing it on to one another.",
        "メールサーバーどうしの転送が繰り返され、メールが堂々巡りになりました。",
    ),
    advice: text(
        "Mail is being forwarded in a wrong way somewhere. Please tell the recipient in another way, and whoever \
                 looks after this mail server.",
        "どこかで転送の設定が間違っています。電話など別の方法で相手の方にお知らせいただき、このメールサーバーの管理者にもお伝えください。",
    ),
};

const ADDRESS_SCRIPT: Sentences = Sentences {
    reason: text(
        "The letter has an address with other letters than A to Z, and the recipient's mail server cannot handle \
                 such addresses.",
        "このメールには、日本語など英数字以外の文字を使ったアドレスがありますが、宛先のメールサーバーはそのようなアドレスに対応していません。",
    ),
    advice: text(
        "Please use addresses of plain letters only, your own included, and send the letter again.",
        "差出人も含めて、英数字だけのアドレスを使って、もう一度お送りください。",
    ),
};

const BODY_FORM: Sentences = Sentences {
    reason: text(
        "The letter is written in a form that the recipient's mail server cannot read.",
        "このメールは、宛先のメールサーバーが対応していない形式で書かれています。",
    ),
    advice: text(
        "Please send it again with another mail program, or ask whoever helps you with mail to set up this one.",
        "別のメールソフトからもう一度お送りいただくか、メールに詳しい方に、お使いのメールソフトの設定を見てもらってください。",
    ),
};

const NO_TLS: Sentences = Sentences {
    reason: text(
        "This letter may travel only encrypted, and the mail server on its way does not offer that. So it was not \
                 sent.",
        "このメールは暗号化して送ることになっていますが、相手側のメールサーバーが暗号化に対応していないため、送りませんでした。",
    ),
    advice: ONLY_ENCRYPTED,
};

const NO_REQUIRE_TLS: Sentences = Sentences {
    reason: text(
        "This letter may travel only encrypted all the way to the recipient, and the next mail server does not promise \
                 that. So it was not sent.",
        "このメールは宛先まで必ず暗号化して届けることになっていますが、次のメールサーバーがそれを保証できないため、送りませんでした。",
    ),
    advice: ONLY_ENCRYPTED,
};

const WRONG_CERTIFICATE: Sentences = Sentences {
    reason: text(
        "The mail server on the letter's way could not prove that it is the right one. So the letter was not given \
                 to it.",
        "相手側のメールサーバーが本物であることを確かめられなかったため、メールを渡しませんでした。",
    ),
    advice: ONLY_ENCRYPTED,
};

const LOG_IN_REFUSED: Sentences = Sentences {
    reason: text(
        "The provider through which this mail server sends letters did not accept its user name and password.",
        "このメールサーバーが送信に使っているプロバイダーに、ユーザー名とパスワードを受け付けてもらえませんでした。",
    ),
    advice: text(
        "Whoever looks after this mail server has to enter the provider's user name and password again. The letter \
                 can then be sent once more.",
        "このメールサーバーの管理者が、プロバイダーのユーザー名とパスワードを設定し直す必要があります。その後で、もう一度お送りください。",
    ),
};

const RELAY_REFUSED: Sentences = Sentences {
    reason: text(
        "The provider through which this mail server sends letters did not pass this one on.",
        "このメールサーバーが送信に使っているプロバイダーに、このメールの中継を断られました。",
    ),
    advice: text(
        "Many providers take letters only from senders whom they know. Whoever looks after this mail server has to \
                 look at what the provider said, and at the settings for sending.",
        "登録された差出人のメールしか受け付けないプロバイダーもあります。このメールサーバーの管理者に、プロバイダーの返答と送信の設定を確かめてもらってください。",
    ),
};

const DAMAGED: Sentences = Sentences {
    reason: text(
        "The letter was damaged in the storage of this mail server before it could be sent.",
        "このメールサーバーに保管している間にメールが壊れてしまい、送れなくなりました。",
    ),
    advice: text(
        "Please send it again; your mail program should still have it among the letters sent. Whoever looks after \
                 this mail server should look at its storage.",
        "お手数ですが、メールソフトの送信済みメールから、もう一度お送りください。また、このメールサーバーの管理者に、保管場所の点検を依頼してください。",
    ),
};

const CANCELLED: Sentences = Sentences {
    reason: text(
        "The administrator of this mail server ended the delivery.",
        "このメールサーバーの管理者が、配達を取りやめました。",
    ),
    advice: text(
        "If you do not know why, please ask the administrator.",
        "理由については、管理者にお尋ねください。",
    ),
};
