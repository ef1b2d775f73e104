//! What instructions take as arguments: values of fixed length, and texts.

use crate::in_place::{InPlace, require_in_place};
use crate::wire::{Type, Wire};

/// A value among the arguments of an instruction: of fixed length, or a text.
pub trait Argument<'a>: Sized {
    /// What the IDL says about the type.
    const ARGUMENT_TYPE: Type;

    /// The value at the start of `bytes`, and the rest.
    fn take(bytes: &'a [u8]) -> Option<(Self, &'a [u8])>;

    /// Writes the value to the start of `out` and returns the rest; none when there is no room.
    fn put<'b>(&self, out: &'b mut [u8]) -> Option<&'b mut [u8]>;
}

impl<'a, T: Wire> Argument<'a> for T {
    const ARGUMENT_TYPE: Type = T::TYPE;

    #[inline(always)]
    fn take(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (value, rest) = bytes.split_at_checked(T::LEN)?;
        Some((T::read(value)?, rest))
    }

    #[inline(always)]
    fn put<'b>(&self, out: &'b mut [u8]) -> Option<&'b mut [u8]> {
        let (value, rest) = out.split_at_mut_checked(T::LEN)?;
        self.write(value)?;
        Some(rest)
    }
}

/// A record that is read where it lies in the instruction's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InData<'a, T>(pub &'a T);

impl<'a, T: Wire + InPlace> Argument<'a> for InData<'a, T> {
    const ARGUMENT_TYPE: Type = T::TYPE;

    #[inline(always)]
    fn take(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        const { require_in_place::<T>() };
        let (value, rest) = bytes.split_at_checked(T::LEN)?;
        if !T::valid(value) {
            return None;
        }
        // SAFETY: `value` has the size of T and holds a valid one; T has no alignment, no padding.
        Some((Self(unsafe { &*value.as_ptr().cast() }), rest))
    }

    #[inline(always)]
    fn put<'b>(&self, out: &'b mut [u8]) -> Option<&'b mut [u8]> {
        self.0.put(out)
    }
}

/// A text in an instruction that is to have at most `N` bytes. Accounts hold it as `[u8; N]`, zeros
/// behind it, so that what follows keeps its offset; a text with a zero byte is therefore none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a, const N: usize>(pub &'a [u8]);

impl<const N: usize> Text<'_, N> {
    /// Whether an account has room for it.
    #[must_use]
    pub const fn fits(&self) -> bool {
        self.0.len() <= N
    }

    /// Writes the text as accounts hold it; none when it does not fit.
    #[must_use]
    pub fn pad(&self, room: &mut [u8; N]) -> Option<()> {
        let (text, rest) = room.split_at_mut_checked(self.0.len())?;
        text.copy_from_slice(self.0);
        rest.fill(0);
        Some(())
    }
}

impl<'a, const N: usize> Argument<'a> for Text<'a, N> {
    const ARGUMENT_TYPE: Type = Type::Text;

    #[inline(always)]
    fn take(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (text, rest) = take_text(bytes)?;
        Some((Self(text), rest))
    }

    fn put<'b>(&self, out: &'b mut [u8]) -> Option<&'b mut [u8]> {
        let rest = u32::try_from(self.0.len()).ok()?.put(out)?;
        let (text, rest) = rest.split_at_mut_checked(self.0.len())?;
        text.copy_from_slice(self.0);
        Some(rest)
    }
}

#[inline(never)] // one copy of the code for all lengths
fn take_text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = u32::take(bytes)?;
    let (text, rest) = rest.split_at_checked(length as usize)?;
    is_text(text).then_some((text, rest))
}

/// Whether the bytes are UTF-8 (RFC 3629, section 4) without a zero byte. The standard library's own
/// validation takes 2 KB on chain.
fn is_text(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    loop {
        rest = match rest {
            [] => return true,
            [1..=0x7f, rest @ ..]
            | [0xc2..=0xdf, 0x80..=0xbf, rest @ ..]
            | [0xe0, 0xa0..=0xbf, 0x80..=0xbf, rest @ ..]
            | [0xed, 0x80..=0x9f, 0x80..=0xbf, rest @ ..]
            | [
                0xe1..=0xec | 0xee..=0xef,
                0x80..=0xbf,
                0x80..=0xbf,
                rest @ ..,
            ]
            | [0xf0, 0x90..=0xbf, 0x80..=0xbf, 0x80..=0xbf, rest @ ..]
            | [0xf4, 0x80..=0x8f, 0x80..=0xbf, 0x80..=0xbf, rest @ ..]
            | [
                0xf1..=0xf3,
                0x80..=0xbf,
                0x80..=0xbf,
                0x80..=0xbf,
                rest @ ..,
            ] => rest,
            _ => return false,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::{Argument, Text, is_text};

    #[test]
    fn a_text_travels_behind_its_length_and_is_kept_padded() {
        let text = Text::<4>("a\u{f1}".as_bytes());
        let mut room = [9; 8];
        assert_eq!(text.put(&mut room).map(|rest| rest.len()), Some(1));
        assert_eq!(room, [3, 0, 0, 0, b'a', 0xc3, 0xb1, 9]);
        assert_eq!(Text::<4>::take(&room), Some((text, &[9][..])));
        let mut kept = [7; 4];
        assert_eq!(text.pad(&mut kept), Some(()));
        assert_eq!(kept, [b'a', 0xc3, 0xb1, 0]);
    }

    #[test]
    #[allow(clippy::indexing_slicing)]
    fn what_is_a_text_is_what_the_standard_library_says() {
        // every first and second byte, and third and fourth ones on the edges of their ranges
        let edges = [
            0x00, 0x01, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff,
        ];
        for (a, b) in (0..=255u8).flat_map(|a| (0..=255u8).map(move |b| (a, b))) {
            for (c, d) in edges.iter().flat_map(|c| edges.map(|d| (*c, d))) {
                for length in 1..=4 {
                    let bytes = &[a, b, c, d][..length];
                    let expected = core::str::from_utf8(bytes).is_ok() && !bytes.contains(&0);
                    assert_eq!(is_text(bytes), expected, "{bytes:x?}");
                }
            }
        }
    }

    #[test]
    fn a_long_text_is_read_and_known_as_too_long() {
        let (text, rest) = Text::<2>::take(b"\x03\0\0\0abcd").unwrap();
        assert_eq!((text.fits(), rest), (false, &b"d"[..]));
        assert_eq!(text.pad(&mut [0; 2]), None);
    }

    #[test]
    fn what_is_no_text_is_refused() {
        assert_eq!(Text::<4>::take(b"\x02\0\0\0a\0"), None, "a zero byte");
        assert_eq!(Text::<4>::take(b"\x01\0\0\0\xff"), None, "not UTF-8");
        assert_eq!(Text::<4>::take(b"\x02\0\0\0a"), None, "cut short");
        assert_eq!(
            Text::<4>::take(b"\xff\xff\xff\xffa"),
            None,
            "no such length"
        );
    }
}
