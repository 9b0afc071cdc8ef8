//! What a report says whatever its cause, in both languages. Values go where `{0}`, `{1}` stand; see [`mail::fill`].
//!
//! They are what a kind clerk at a post office would say: what happened, what to do now, no word of the trade. Codes
//! stand elsewhere.

use mail::Language;

/// Something said in both languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Text {
    english: &'static str,
    japanese: &'static str,
}

impl Text {
    /// In one language.
    pub(super) const fn say(self, language: Language) -> &'static str {
        match language {
            Language::English => self.english,
            Language::Japanese => self.japanese,
        }
    }
}

pub(super) const fn text(english: &'static str, japanese: &'static str) -> Text {
    Text { english, japanese }
}

// ---- Subjects and first sentences ------------------------------------------------------------------------------

pub(super) const SUBJECT_FAILED: Text =
    text("Your mail could not be delivered", "メールをお届けできませんでした");
pub(super) const SUBJECT_DELAYED: Text = text("Your mail is delayed", "メールのお届けが遅れています");
pub(super) const SUBJECT_DONE: Text =
    text("About the delivery of your mail", "メールの配達についてのお知らせ");

pub(super) const INTRODUCTION: Text =
    text("This is the mail server {0}.", "メールサーバー {0} からのお知らせです。");
pub(super) const FAILED: Text = text(
    "We are sorry: the following letter could not be delivered.",
    "申し訳ありません。次のメールをお届けできませんでした。",
);
pub(super) const DELAYED: Text = text(
    "The following letter has not been delivered yet. It is kept safely here.",
    "次のメールは、まだお届けできていません。メールは大切にお預かりしています。",
);
pub(super) const DONE: Text = text(
    "You asked to be told what becomes of the following letter.",
    "ご依頼のありました、次のメールの配達についてお知らせします。",
);

// ---- Which letter, whose ---------------------------------------------------------------------------------------

pub(super) const FROM: Text = text("From: {0}", "差出人：{0}");
pub(super) const SUBJECT: Text = text("Subject: {0}", "件名：{0}");
pub(super) const NO_SUBJECT: Text = text("(none)", "（なし）");
pub(super) const DATE: Text = text("Date: {0}", "日時：{0}");
pub(super) const TO: Text = text("To: {0}", "宛先：{0}");
pub(super) const SERVER: Text = text("Mail server: {0}", "相手側のサーバー：{0}");
pub(super) const SERVER_SAID: Text =
    text("The mail server {0} said: \"{1}\"", "相手側のサーバー {0} の返答：「{1}」");
pub(super) const MORE: Text = text(
    "Further recipients: {0}. The attached report says of all of them what became of the letter.",
    "このほかに {0} 件の宛先があります。すべての宛先とその結果は、添付の配達レポートに記載しています。",
);
pub(super) const NOT_NAMED: Text = text(
    "Recipients of the letter who are not named here are not concerned by this notice.",
    "ここに書かれていない宛先は、このお知らせの対象ではありません。",
);
pub(super) const FOR_HELPERS: Text = text("For whoever helps with mail", "メールの管理者の方へ");

// ---- What became of it -----------------------------------------------------------------------------------------

pub(super) const TRIED_SINCE: Text = text(
    "Delivery was tried again and again since {0}, without success. This was the reason in the end:",
    "{0}から繰り返しお届けを試みましたが、届きませんでした。最後にお届けできなかった理由は、次のとおりです。",
);
pub(super) const TRIED_UNTIL: Text = text(
    "Delivery will be tried again and again until {0}. If it does not work by then, you will be told.",
    "{0}まで、お届けを繰り返し試みます。それまでに届かない場合は、あらためてお知らせします。",
);
pub(super) const NOTHING_TO_DO: Text = text("You need not do anything.", "このままお待ちください。");
pub(super) const OWNER_ACTS: Text = text(
    "Please ask whoever looks after this mail server to look into it before that.",
    "それまでに、このメールサーバーの管理者に調べてもらってください。",
);
pub(super) const DELIVERED: Text =
    text("The letter is in this recipient's mailbox.", "メールは、この宛先のメールボックスに届きました。");
pub(super) const RELAYED: Text = text(
    "The letter was handed to the recipient's mail server. That server does not confirm deliveries, so this is the \
     last you will hear of it unless something goes wrong.",
    "メールは、宛先のメールサーバーに渡しました。このサーバーは配達の確認に対応していないため、問題が起きないかぎり、これが最後のお知らせになります。",
);
pub(super) const LETTER_SIZE: Text = text("Its size is {0}.", "このメールの大きさは {0} です。");
pub(super) const SIZE_LIMIT: Text = text("At most {0} are taken.", "受け取れる大きさは {0} までです。");
