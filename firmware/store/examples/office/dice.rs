//! Numbers that look random and are the same in each run.

/// xorshift64*, and the distributions that the model needs.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Evenly from 0 to 1, neither included.
    pub(crate) fn unit(&mut self) -> f64 {
        ((self.next() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    pub(crate) fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// Evenly from `from` to `to`, the end not included.
    pub(crate) fn between(&mut self, from: f64, to: f64) -> f64 {
        from + self.unit() * (to - from)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        ((self.unit() * end as f64) as usize).min(end.saturating_sub(1))
    }

    /// How long until something that happens about once in `mean`.
    pub(crate) fn wait(&mut self, mean: f64) -> f64 {
        -self.unit().ln() * mean
    }

    /// Half of the values are below `median`, two thirds within a factor of e^`sigma` of it.
    pub(crate) fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        let normal = (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos();
        median * (sigma * normal).exp()
    }

    /// As [`lognormal`](Self::lognormal), drawn again until it lies between the ends.
    pub(crate) fn lognormal_within(&mut self, median: f64, sigma: f64, (from, to): (f64, f64)) -> f64 {
        loop {
            let value = self.lognormal(median, sigma);
            if (from..=to).contains(&value) {
                return value;
            }
        }
    }

    /// How often something happens that happens `mean` times on average.
    pub(crate) fn times(&mut self, mean: f64) -> usize {
        let end = (-mean).exp();
        let (mut count, mut product) = (0, self.unit());
        while product > end {
            count += 1;
            product *= self.unit();
        }
        count
    }

    /// One of the choices; the numbers are their weights.
    pub(crate) fn choose<T: Copy>(&mut self, choices: &[(f64, T)]) -> T {
        let total: f64 = choices.iter().map(|choice| choice.0).sum();
        let mut left = self.unit() * total;
        for (weight, choice) in choices {
            left -= weight;
            if left < 0.0 {
                return *choice;
            }
        }
        choices[choices.len() - 1].1
    }
}
