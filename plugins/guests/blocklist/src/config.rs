//! The plugin's configuration: what the operator wrote as `config = { … }`.

use crate::exports::mailsonde::stage::plugin::Category;
use crate::list::List;
use crate::mailsonde::stage::config;
use crate::pattern::Pattern;

/// How sure a blocklist is of itself, unless the operator says otherwise.
const SCORE_DEFAULT: f64 = 0.95;

/// What is blocked, and what that means.
pub struct Policy {
    blocked: List,
    allowed: List,
    /// What a blocked address is held to be.
    pub category: Category,
    /// The probability that it is, 0 to 1.
    pub score: f64,
}

impl Policy {
    /// Reads `blocked`, `allow`, `category` and `score`. An error names the key and what is wrong with it.
    pub fn from_config() -> Result<Self, String> {
        let blocked = patterns("blocked")?;
        if blocked.is_empty() {
            return Err(
                "blocked: a list of patterns is missing, such as blocked = [\"*.example.net\"]".into()
            );
        }
        Ok(Self {
            blocked: List::new(blocked),
            allowed: List::new(patterns("allow")?),
            category: config::get("category").map_or(Ok(Category::HighRisk), |word| category(&word))?,
            score: config::get("score").map_or(Ok(SCORE_DEFAULT), |number| score(&number))?,
        })
    }

    /// The pattern that blocks the address, unless another one allows it.
    pub fn blocked_by(&self, local: &str, domain: &str) -> Option<&Pattern> {
        let pattern = self.blocked.find(local, domain)?;
        self.allowed.find(local, domain).is_none().then_some(pattern)
    }
}

fn patterns(key: &str) -> Result<Vec<Pattern>, String> {
    let parse = |(position, text): (usize, String)| {
        // The position too, since mailsonde shortens what looks like an address.
        Pattern::parse(text).map_err(|(text, why)| format!("{key}: entry {}, {text:?}, {why}", position + 1))
    };
    config::get_list(key).into_iter().enumerate().map(parse).collect()
}

fn category(word: &str) -> Result<Category, String> {
    Ok(match word {
        "deliverable" => Category::Deliverable,
        "undeliverable" => Category::Undeliverable,
        "risky" => Category::Risky,
        "disposable" => Category::Disposable,
        "unknown" => Category::Unknown,
        "random_pattern" => Category::RandomPattern,
        "high_risk" => Category::HighRisk,
        "accept_all" => Category::AcceptAll,
        _ => return Err(format!("category: {word:?} is no category, high_risk would be one")),
    })
}

fn score(number: &str) -> Result<f64, String> {
    let score: f64 = number.parse().map_err(|_| format!("score: {number} is no number"))?;
    if (0.0..=1.0).contains(&score) {
        Ok(score)
    } else {
        Err(format!("score: {number} is not between 0 and 1"))
    }
}
