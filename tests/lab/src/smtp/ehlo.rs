//! The reply to EHLO.

use crate::host::{Ehlo, StartTls};

impl Ehlo {
    /// Name and keywords, a line each.
    pub(super) fn reply(&self, host: &str, is_encrypted: bool) -> String {
        let mut lines = vec![host.to_owned()];
        lines.extend(self.size.map(|size| format!("SIZE {size}")));
        lines.extend(self.pipelining.then(|| "PIPELINING".to_owned()));
        lines.extend(self.smtputf8.then(|| "SMTPUTF8".to_owned()));
        lines.extend((self.starttls != StartTls::None && !is_encrypted).then(|| "STARTTLS".to_owned()));
        lines.extend(self.keywords.iter().cloned());
        let last = lines.len() - 1;
        let reply: Vec<_> = (0..)
            .zip(&lines)
            .map(|(index, line)| format!("250{}{line}", if index == last { ' ' } else { '-' }))
            .collect();
        reply.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_line_is_marked() {
        let ehlo = Ehlo { starttls: StartTls::Offered, keywords: vec!["DSN".into()], ..Ehlo::default() };
        assert_eq!(
            ehlo.reply("mx.a.test", false),
            "250-mx.a.test\n250-SIZE 10240000\n250-PIPELINING\n250-STARTTLS\n250 DSN"
        );
        assert!(!ehlo.reply("mx.a.test", true).contains("STARTTLS"));
    }
}
