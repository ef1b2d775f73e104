//! The arithmetic of money. Whole numbers; every division rounds down, so that what remains of it
//! stays in the vault and no rounding can make the vault owe more than it holds.
//!
//! Products of two u64 need 128 bits. They are kept in two words, and no u128 is multiplied or
//! divided: the compiler would call helpers for that which this toolchain gets wrong (ADR 0002). So
//! would `checked_mul` of u64.

/// One in basis points: 100 %.
const WHOLE_BPS: u64 = 10_000;

/// The platform's fee on `total`: the rate, but never more than the losing side has, so that no
/// winner gets less than what he paid.
#[must_use]
pub const fn fee(total: u64, fee_bps: u16, losing_pool: u64) -> u64 {
    match mul_div(total, fee_bps as u64, WHOLE_BPS) {
        Some(fee) if fee < losing_pool => fee,
        _ => losing_pool,
    }
}

/// What `shares` of the `winning_shares` get out of `payout_pool`. None when there are no winning
/// shares, or fewer than `shares`.
#[must_use]
pub const fn winnings(shares: u64, payout_pool: u64, winning_shares: u64) -> Option<u64> {
    if shares > winning_shares {
        return None;
    }
    mul_div(shares, payout_pool, winning_shares)
}

/// `a * b / c` rounded down; none when `c` is zero or the result needs more than 64 bits.
#[must_use]
#[inline(never)] // one copy of the code, whoever calls
pub const fn mul_div(a: u64, b: u64, c: u64) -> Option<u64> {
    let (high, low) = product(a, b);
    if high >= c {
        return None; // also c == 0
    }
    if high == 0 {
        return low.checked_div(c);
    }
    // Long division in base 2. `rest` < c before each step; its doubling may need a 65th bit.
    let (mut rest, mut low, mut quotient) = (high, low, 0u64);
    let mut bit = 0u32;
    while bit < u64::BITS {
        let carried = rest >> 63 == 1;
        rest = rest << 1 | low >> 63;
        low <<= 1;
        quotient <<= 1;
        if carried || rest >= c {
            rest = rest.wrapping_sub(c);
            quotient |= 1;
        }
        bit = bit.wrapping_add(1);
    }
    Some(quotient)
}

/// `a * b` as its high and its low word, from products of half words. None of the sums leaves a
/// word: (2^32 - 1)^2 + 2 (2^32 - 1) = 2^64 - 1.
const fn product(a: u64, b: u64) -> (u64, u64) {
    const HALF: u64 = 0xffff_ffff;
    let (a_high, a_low) = (a >> 32, a & HALF);
    let (b_high, b_low) = (b >> 32, b & HALF);
    let lowest = a_low.wrapping_mul(b_low);
    let middle = a_high.wrapping_mul(b_low).wrapping_add(lowest >> 32);
    let other = a_low.wrapping_mul(b_high).wrapping_add(middle & HALF);
    let high = a_high
        .wrapping_mul(b_high)
        .wrapping_add(middle >> 32)
        .wrapping_add(other >> 32);
    (high, other << 32 | lowest & HALF)
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::{fee, mul_div, winnings};

    #[test]
    fn agrees_with_128_bit_arithmetic() {
        // xorshift64: pairs of every size, with a seed of its own
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let value = state >> (state % 64);
            if value.is_multiple_of(5) {
                value.wrapping_neg()
            } else {
                value
            }
        };
        for _ in 0..200_000 {
            let (a, b, c) = (next(), next(), next());
            let exact = (u128::from(a) * u128::from(b)).checked_div(u128::from(c));
            let expected = exact.and_then(|value| u64::try_from(value).ok());
            assert_eq!(mul_div(a, b, c), expected, "{a} * {b} / {c}");
        }
    }

    #[test]
    fn on_the_edges() {
        let most = u64::MAX;
        assert_eq!(mul_div(most, most, most), Some(most));
        assert_eq!(mul_div(most, most, most - 1), None);
        assert_eq!(mul_div(most, 1, 2), Some(most / 2));
        assert_eq!(mul_div(1, 1, 0), None);
        assert_eq!(mul_div(0, most, 1), Some(0));
    }

    #[test]
    fn the_fee_never_touches_what_winners_paid() {
        assert_eq!(fee(10_000, 250, 5_000), 250);
        assert_eq!(fee(10_000, 250, 100), 100);
        assert_eq!(fee(39, 250, 5), 0);
        assert_eq!(fee(u64::MAX, 1_000, u64::MAX), u64::MAX / 10);
    }

    #[test]
    fn nobody_wins_with_more_shares_than_there_are() {
        assert_eq!(winnings(3, 100, 7), Some(42));
        assert_eq!(winnings(8, 100, 7), None);
        assert_eq!(winnings(0, 100, 0), None);
    }
}
