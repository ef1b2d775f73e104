//! Borsh for types of fixed length and for texts, and the description of each type for the IDL.
//!
//! Integers are little endian without padding, an enum is one byte, a struct is its fields in the
//! order of declaration (source: the Borsh specification). Nothing is copied twice and nothing
//! needs an allocator.

use crate::discriminator::{DISCRIMINATOR_LEN, Discriminator};

/// A value with a Borsh form of exactly [`Wire::LEN`] bytes.
pub trait Wire: Sized {
    /// Length of the Borsh form in bytes.
    const LEN: usize;
    /// What the IDL says about the type.
    const TYPE: Type;

    /// The value in `bytes`; none when the length is not [`Wire::LEN`] or a byte is no value of
    /// the type (an unknown enum variant).
    fn read(bytes: &[u8]) -> Option<Self>;

    /// Writes the Borsh form to `out`; none, with `out` partly written, when its length is not
    /// [`Wire::LEN`].
    fn write(&self, out: &mut [u8]) -> Option<()>;

    /// Whether there is a value in `bytes`.
    #[inline(always)]
    fn valid(bytes: &[u8]) -> bool {
        Self::read(bytes).is_some()
    }
}

/// A value that lies in memory exactly as Borsh writes it, so that an account is read and changed
/// where it lies: copying a market would cost more than all that is done with it.
///
/// # Safety
/// The type has the size [`Wire::LEN`], the alignment 1 or a number's, no padding, and is a number, a
/// truth, an enum of one byte, an array of bytes, or a packed struct of such.
pub unsafe trait InPlace: Wire {}

#[cfg(not(target_endian = "little"))]
compile_error!(
    "Borsh is little endian; on this machine numbers do not lie in memory as it writes them"
);

/// Why a cast from bytes to `T` is one: the conditions of [`InPlace`] that the compiler can check.
#[allow(clippy::arithmetic_side_effects)]
const fn require_in_place<T: InPlace>() {
    assert!(size_of::<T>() == T::LEN && align_of::<T>() == 1);
}

/// The value behind the discriminator in `bytes`, where it lies.
///
/// # Errors
/// As [`Tagged::read_tagged`].
#[inline(always)]
pub fn view<T: Tagged + InPlace>(bytes: &[u8]) -> Result<&T, Mismatch> {
    const { require_in_place::<T>() };
    let content = content::<T>(bytes)?;
    // SAFETY: `content` has the size of T and holds a valid value; T has no alignment and no padding.
    Ok(unsafe { &*content.as_ptr().cast() })
}

/// The value behind the discriminator in `bytes`, to be changed where it lies.
///
/// # Errors
/// As [`Tagged::read_tagged`].
#[inline(always)]
pub fn view_mut<T: Tagged + InPlace>(bytes: &mut [u8]) -> Result<&mut T, Mismatch> {
    const { require_in_place::<T>() };
    content::<T>(bytes)?;
    let content = bytes
        .get_mut(DISCRIMINATOR_LEN..)
        .ok_or(Mismatch::Discriminator)?;
    // SAFETY: as for `view`; every value that can be written is valid as bytes.
    Ok(unsafe { &mut *content.as_mut_ptr().cast() })
}

#[inline(always)]
fn content<T: Tagged>(bytes: &[u8]) -> Result<&[u8], Mismatch> {
    match bytes.split_first_chunk::<DISCRIMINATOR_LEN>() {
        Some((tag, content)) if *tag == T::DISCRIMINATOR => {
            if content.len() == T::LEN && T::valid(content) {
                Ok(content)
            } else {
                Err(Mismatch::Content)
            }
        }
        _ => Err(Mismatch::Discriminator),
    }
}

/// A value with its discriminator in front, as one piece of memory.
#[derive(Clone, Copy, Debug)]
#[repr(C, packed)]
pub struct Framed<T> {
    discriminator: Discriminator,
    content: T,
}

impl<T: Tagged + InPlace> Framed<T> {
    /// The value with its discriminator.
    #[inline(always)]
    pub const fn new(content: T) -> Self {
        const { require_in_place::<T>() };
        Self {
            discriminator: T::DISCRIMINATOR,
            content,
        }
    }

    /// The bytes that travel.
    #[inline(always)]
    pub const fn bytes(&self) -> &[u8] {
        // SAFETY: discriminator and content have no padding, and neither does the packed pair.
        unsafe { core::slice::from_raw_parts(core::ptr::from_ref(self).cast(), size_of::<Self>()) }
    }
}

/// A value that travels behind its discriminator: an account, instruction data or an event.
pub trait Tagged: Wire {
    /// The eight bytes in front.
    const DISCRIMINATOR: Discriminator;
    /// Length with the discriminator in bytes.
    #[allow(clippy::arithmetic_side_effects)] // a constant: an overflow does not compile
    const TAGGED_LEN: usize = DISCRIMINATOR_LEN + Self::LEN;

    /// The value behind the discriminator in `bytes`.
    ///
    /// # Errors
    /// [`Mismatch::Discriminator`] when the first eight bytes differ or are missing,
    /// [`Mismatch::Content`] when the rest has another length or holds no valid value.
    #[inline(always)]
    fn read_tagged(bytes: &[u8]) -> Result<Self, Mismatch> {
        match bytes.split_first_chunk::<DISCRIMINATOR_LEN>() {
            Some((tag, content)) if *tag == Self::DISCRIMINATOR => {
                Self::read(content).ok_or(Mismatch::Content)
            }
            _ => Err(Mismatch::Discriminator),
        }
    }

    /// Writes discriminator and value to `out`; none when its length is not
    /// [`Tagged::TAGGED_LEN`].
    #[inline(always)]
    fn write_tagged(&self, out: &mut [u8]) -> Option<()> {
        let (tag, content) = out.split_first_chunk_mut::<DISCRIMINATOR_LEN>()?;
        *tag = Self::DISCRIMINATOR;
        self.write(content)
    }
}

/// Why bytes are not the value they were taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// Another kind of account, instruction or event, or less than eight bytes.
    Discriminator,
    /// The right kind, but of another length or with an invalid value.
    Content,
}

/// A Solana address. A type of its own, so that the IDL can tell it from 32 arbitrary bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Key(pub [u8; 32]);

impl Key {
    /// 32 zero bytes: stands for "none". It is also the address of the System program, which can
    /// sign for nothing.
    pub const ZERO: Self = Self([0; 32]);
}

/// What the IDL says about a type.
#[derive(Clone, Copy, Debug)]
pub enum Type {
    /// A number, named as Rust and the IDL name it.
    Number(&'static str),
    /// A Solana address.
    Key,
    /// True or false, one byte.
    Truth,
    /// That many bytes.
    Bytes(usize),
    /// A text behind its length (u32), in arguments only.
    Text,
    /// A struct or enum of this interface.
    Defined(&'static Definition),
}

/// A struct or an enum.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    /// The type's name.
    pub name: &'static str,
    /// Lines of its doc comment.
    pub docs: &'static [&'static str],
    /// Its fields or variants.
    pub shape: Shape,
}

/// Fields of a struct or variants of an enum.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Fields in the order of their bytes.
    Struct(&'static [Field]),
    /// Variants, numbered from zero.
    Enum(&'static [&'static str]),
}

/// A field of a struct, or an argument of an instruction.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The field's name.
    pub name: &'static str,
    /// Lines of its doc comment.
    pub docs: &'static [&'static str],
    /// The field's type.
    pub ty: Type,
}

macro_rules! numbers {
    ($($number:ident)+) => {$(
        impl Wire for $number {
            const LEN: usize = size_of::<$number>();
            const TYPE: Type = Type::Number(stringify!($number));

            #[inline(always)]
            fn read(bytes: &[u8]) -> Option<Self> {
                Some($number::from_le_bytes(bytes.try_into().ok()?))
            }

            #[inline(always)]
            fn write(&self, out: &mut [u8]) -> Option<()> {
                *<&mut [u8; size_of::<$number>()]>::try_from(out).ok()? = self.to_le_bytes();
                Some(())
            }

            #[inline(always)]
            fn valid(bytes: &[u8]) -> bool {
                bytes.len() == Self::LEN
            }
        }

        // SAFETY: a number; little endian as is the machine.
        unsafe impl InPlace for $number {}
    )+};
}
numbers!(u8 u16 u32 u64 u128 i64);

impl Wire for bool {
    const LEN: usize = 1;
    const TYPE: Type = Type::Truth;

    #[inline(always)]
    fn read(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    #[inline(always)]
    fn write(&self, out: &mut [u8]) -> Option<()> {
        u8::from(*self).write(out)
    }
}

// SAFETY: one byte, 0 or 1.
unsafe impl InPlace for bool {}

impl<const N: usize> Wire for [u8; N] {
    const LEN: usize = N;
    const TYPE: Type = Type::Bytes(N);

    #[inline(always)]
    fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok()
    }

    #[inline(always)]
    fn write(&self, out: &mut [u8]) -> Option<()> {
        *<&mut [u8; N]>::try_from(out).ok()? = *self;
        Some(())
    }

    #[inline(always)]
    fn valid(bytes: &[u8]) -> bool {
        bytes.len() == Self::LEN
    }
}

// SAFETY: an array of bytes.
unsafe impl<const N: usize> InPlace for [u8; N] {}

impl Wire for Key {
    const LEN: usize = 32;
    const TYPE: Type = Type::Key;

    #[inline(always)]
    fn read(bytes: &[u8]) -> Option<Self> {
        <[u8; 32]>::read(bytes).map(Self)
    }

    #[inline(always)]
    fn write(&self, out: &mut [u8]) -> Option<()> {
        self.0.write(out)
    }

    #[inline(always)]
    fn valid(bytes: &[u8]) -> bool {
        bytes.len() == Self::LEN
    }
}

// SAFETY: transparent around an array of bytes.
unsafe impl InPlace for Key {}

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
