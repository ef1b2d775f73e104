//! How an instruction is described: for the program, for clients and for the IDL.

use crate::discriminator::Discriminator;
use crate::seeds::SeedSpec;
use crate::wire::{Key, Type};

/// The arguments of an instruction, which travel behind its discriminator.
pub trait Arguments<'a>: Sized {
    /// The arguments in the bytes behind the discriminator; none when there are too few or too
    /// many, or one is no value of its type.
    fn read(bytes: &'a [u8]) -> Option<Self>;

    /// Writes the arguments to the start of `out` and returns the rest; none without room.
    fn put<'b>(&self, out: &'b mut [u8]) -> Option<&'b mut [u8]>;
}

/// What an instruction takes.
#[derive(Clone, Copy, Debug)]
pub struct InstructionSpec {
    /// First eight bytes of the instruction data.
    pub discriminator: Discriminator,
    /// The arguments, as a struct called like the instruction.
    pub arguments: Type,
    /// The accounts in their order.
    pub accounts: &'static [AccountSpec],
}

/// An account of an instruction, for clients and the IDL.
#[derive(Clone, Copy, Debug)]
pub struct AccountSpec {
    /// The account's name.
    pub name: &'static str,
    /// Lines of its doc comment.
    pub docs: &'static [&'static str],
    /// It must have signed.
    pub signer: bool,
    /// It must be passed as writable.
    pub writable: bool,
    /// It must have this address.
    pub address: Option<Key>,
    /// It must be the address derived from these seeds and the program's id.
    pub pda: Option<&'static [SeedSpec]>,
    /// It may be left out: at the end of the accounts, or as the program's own address.
    pub optional: bool,
}

/// What the program checks of every account before anything else, as three bits. Further rules are in
/// the instruction's own file.
#[derive(Clone, Copy, Debug)]
pub struct Demands(u8);

impl AccountSpec {
    pub(crate) const fn new(name: &'static str, docs: &'static [&'static str]) -> Self {
        Self {
            name,
            docs,
            signer: false,
            writable: false,
            address: None,
            pda: None,
            optional: false,
        }
    }
}

impl Demands {
    const SIGNER: u8 = 1;
    const WRITABLE: u8 = 2;
    const SYSTEM_PROGRAM: u8 = 4;

    /// It must have signed.
    #[must_use]
    pub const fn signer(self) -> bool {
        self.0 & Self::SIGNER != 0
    }

    /// It must be passed as writable.
    #[must_use]
    pub const fn writable(self) -> bool {
        self.0 & Self::WRITABLE != 0
    }

    /// It must be the System program, which is the only fixed address so far.
    #[must_use]
    pub const fn system_program(self) -> bool {
        self.0 & Self::SYSTEM_PROGRAM != 0
    }

    const fn of(spec: &AccountSpec) -> Self {
        let mut bits = 0;
        if spec.signer {
            bits |= Self::SIGNER;
        }
        if spec.writable {
            bits |= Self::WRITABLE;
        }
        if let Some(Key(address)) = spec.address {
            let [first, ..] = address;
            assert!(first == 0, "only the System program can be demanded");
            bits |= Self::SYSTEM_PROGRAM;
        }
        Self(bits)
    }
}

/// How many accounts come before the optional ones, which are the last.
#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)] // runs in the compiler
pub(crate) const fn needed(accounts: &[AccountSpec]) -> usize {
    let mut count = accounts.len();
    while count > 0 && accounts[count - 1].optional {
        count -= 1;
    }
    let mut i = 0;
    while i < count {
        assert!(!accounts[i].optional, "only the last accounts are optional");
        i += 1;
    }
    count
}

/// The demands of the first `N` accounts.
#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)] // runs in the compiler
pub(crate) const fn demands<const N: usize>(accounts: &[AccountSpec]) -> [Demands; N] {
    let mut all = [Demands(0); N];
    let mut i = 0;
    while i < N {
        all[i] = Demands::of(&accounts[i]);
        i += 1;
    }
    all
}
