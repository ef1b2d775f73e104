//! Error numbers. A failed transaction shows them as `custom program error: 0x…`.

errors! {
    first 6000, list ERRORS,
    /// The program's own errors. Other tools match on numbers and names: add at the end only.
    enum CryptoBetError {
        InvalidParameters = "A parameter is outside its bounds",
        TitleTooLong = "The title of the market is too long",
        BetAmountTooSmall = "The bet is below the minimum",
        MarketAlreadyResolved = "The market is already resolved",
        Unauthorized = "The signer may not do this",
        AlreadyClaimed = "The position has already been claimed",
        NumberOverflow = "A number left its range",
        AlreadyInitialized = "The program is already initialized",
        UnsupportedVersion = "The account was written by another version of the program",
        InvariantViolated = "The change would leave the account in an impossible state",
        PlatformPaused = "The platform is paused",
        BetAmountTooLarge = "The bet is above the maximum",
        BettingClosed = "The market takes no bets now",
        PayoutTooLow = "The bet would win less than the bettor accepts",
        TermsChanged = "The terms of the market are not those that the bet was made for",
        TermsFixed = "The terms of a market cannot change once somebody has bet",
        MarketStateInvalid = "The market is not in a state in which this is possible",
        TooEarly = "It is too early for this",
        TooLate = "It is too late for this",
        NothingToClaim = "The position has nothing to claim",
        UnsupportedMint = "The token is not one that markets take",
        AccountMismatch = "The account does not belong to the other accounts",
        MoneyStillOwed = "There is money or a position that belongs to a user",
        Insolvent = "A vault holds less than what is owed",
    }
}

/// Errors that Anchor's framework would return for the same failure, under Anchor's numbers, so
/// that clients' tables apply (source: `anchor_lang::error::ErrorCode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum FrameworkError {
    /// No instruction has this discriminator, or the data is shorter than one.
    InstructionFallbackNotFound = 101,
    /// The arguments have another length or an invalid value.
    InstructionDidNotDeserialize = 102,
    /// An account that the instruction changes was passed read-only.
    ConstraintMut = 2000,
    /// The address is not the one derived from the seeds.
    ConstraintSeeds = 2006,
    /// The account is of another kind.
    AccountDiscriminatorMismatch = 3002,
    /// The account's content has another length or an invalid value.
    AccountDidNotDeserialize = 3003,
    /// Fewer accounts than the instruction takes.
    AccountNotEnoughKeys = 3005,
    /// Another program owns the account.
    AccountOwnedByWrongProgram = 3007,
    /// The account is not the program it should be.
    InvalidProgramId = 3008,
    /// The account did not sign.
    AccountNotSigner = 3010,
    /// The account does not exist yet.
    AccountNotInitialized = 3012,
    /// The account holds no program data.
    AccountNotProgramData = 3013,
}
