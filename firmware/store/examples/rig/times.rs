//! How long many calls took: percentiles.

/// How long each of many calls took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times {
    ns: Vec<u64>,
}

impl Times {
    /// Notes one call.
    pub(crate) fn note(&mut self, ns: u64) {
        self.ns.push(ns);
    }

    /// A line with count, median, 99th and 99.9th percentile and maximum.
    pub(crate) fn line(&self, what: &str) -> String {
        let mut ns = self.ns.clone();
        ns.sort_unstable();
        let at =
            |part: usize| ns.get(ns.len() * part / 1000).or(ns.last()).map_or(0.0, |ns| *ns as f64 / 1e6);
        format!(
            "  {what:<34} {:>8} calls: p50 {:.4} ms, p99 {:.4} ms, p99.9 {:.4} ms, max {:.3} ms",
            ns.len(),
            at(500),
            at(990),
            at(999),
            at(1000)
        )
    }
}
