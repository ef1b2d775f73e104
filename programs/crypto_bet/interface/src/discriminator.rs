//! Anchor's discriminators: the first eight bytes of `sha256("<namespace>:<name>")`, computed by
//! the compiler, so that a name is never written beside a number that could disagree with it.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)] // runs in the compiler

/// Length of a discriminator in bytes.
pub const DISCRIMINATOR_LEN: usize = 8;

/// The eight bytes in front of instruction data, account data or event data.
pub type Discriminator = [u8; DISCRIMINATOR_LEN];

/// `sha256(namespace + ":" + name)[..8]`.
///
/// `namespace` is `global` for instructions (`name` in snake case), `account` or `event` for the
/// others (`name` as the type is called). Both together may have 54 bytes, so that one block of
/// sha256 holds them; more does not compile.
#[must_use]
pub const fn discriminator(namespace: &str, name: &str) -> Discriminator {
    let (namespace, name) = (namespace.as_bytes(), name.as_bytes());
    let mut block = [0u8; 64];
    let length = namespace.len() + 1 + name.len();
    assert!(length <= 55, "the name does not fit one block of sha256");
    let mut i = 0;
    while i < namespace.len() {
        block[i] = namespace[i];
        i += 1;
    }
    block[i] = b':';
    i = 0;
    while i < name.len() {
        block[namespace.len() + 1 + i] = name[i];
        i += 1;
    }
    // padding: a one bit, zeros, the length in bits (big endian, at most 440)
    block[length] = 0x80;
    let bits = (length as u64 * 8).to_be_bytes();
    block[62] = bits[6];
    block[63] = bits[7];

    let [a, b, c, d, e, f, g, h] = first_words(&block);
    [a, b, c, d, e, f, g, h]
}

/// First eight bytes of the sha256 of one padded block (FIPS 180-4, section 6.2).
const fn first_words(block: &[u8; 64]) -> [u8; 8] {
    let mut w = [0u32; 64];
    let mut t = 0;
    while t < 16 {
        let i = t * 4;
        w[t] = u32::from_be_bytes([block[i], block[i + 1], block[i + 2], block[i + 3]]);
        t += 1;
    }
    while t < 64 {
        let s0 = w[t - 15].rotate_right(7) ^ w[t - 15].rotate_right(18) ^ (w[t - 15] >> 3);
        let s1 = w[t - 2].rotate_right(17) ^ w[t - 2].rotate_right(19) ^ (w[t - 2] >> 10);
        w[t] = w[t - 16]
            .wrapping_add(s0)
            .wrapping_add(w[t - 7])
            .wrapping_add(s1);
        t += 1;
    }
    let mut v = INITIAL;
    t = 0;
    while t < 64 {
        let [a, b, c, d, e, f, g, h] = v;
        let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let choice = (e & f) ^ (!e & g);
        let t1 = h
            .wrapping_add(s1)
            .wrapping_add(choice)
            .wrapping_add(ROUND[t])
            .wrapping_add(w[t]);
        let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let majority = (a & b) ^ (a & c) ^ (b & c);
        v = [
            t1.wrapping_add(s0.wrapping_add(majority)),
            a,
            b,
            c,
            d.wrapping_add(t1),
            e,
            f,
            g,
        ];
        t += 1;
    }
    let [a, b, c, d] = v[0].wrapping_add(INITIAL[0]).to_be_bytes();
    let [e, f, g, h] = v[1].wrapping_add(INITIAL[1]).to_be_bytes();
    [a, b, c, d, e, f, g, h]
}

const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

#[rustfmt::skip]
const ROUND: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

#[cfg(test)]
mod tests {
    use super::discriminator;

    #[test]
    fn agrees_with_known_values() {
        // published in the IDL of every Anchor program that has an `initialize` instruction
        assert_eq!(
            discriminator("global", "initialize"),
            [175, 175, 109, 31, 13, 152, 155, 237]
        );
        assert_eq!(
            discriminator("global", "emergency_pause"),
            [21, 143, 27, 142, 200, 181, 210, 255]
        );
        assert_eq!(
            discriminator("account", "GlobalConfig"),
            [149, 8, 156, 202, 160, 252, 176, 217]
        );
    }
}
