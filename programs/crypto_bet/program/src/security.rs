//! Whom to tell of a weakness, found by tools that look for these marks in the ELF (source: the
//! `solana-security-txt` specification).

#[used]
static SECURITY_TXT: [u8; 219] = *TEXT;

const TEXT: &[u8; 219] = b"=======BEGIN SECURITY.TXT V1=======\0\
name\0Crypto Bet\0\
project_url\0https://crypto-bet.io\0\
contacts\0email:security@crypto-bet.io\0\
policy\0https://crypto-bet.io/security\0\
preferred_languages\0en\0\
=======END SECURITY.TXT V1=======\0";
