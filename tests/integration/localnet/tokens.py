"""A mint with its accounts, made as any program of a token does it."""

from __future__ import annotations

from dataclasses import dataclass

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account
from spl.token import instructions as spl
from spl.token import models
from tests.integration.localnet.support import Localnet

TOKEN = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
TOKEN_2022 = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
DECIMALS = 6
MINT_BYTES = 82
MULTISIG_BYTES = 355


@dataclass(frozen=True)
class Token:
    """`holder` has 1.5 of the token, `other` 0.25, and `delegate` may spend 0.1 of `holder`'s."""

    net: Localnet
    program: Pubkey
    payer: Keypair
    mint: Pubkey
    holder: Keypair
    other: Keypair
    delegate: Keypair

    def account_of(self, owner: Keypair) -> Pubkey:
        return spl.get_associated_token_address(owner.pubkey(), self.mint, self.program)

    def transfer(self, amount: int) -> Instruction:
        """From `holder` to `other`."""
        return spl.transfer_checked(
            models.TransferCheckedParams(
                program_id=self.program,
                source=self.account_of(self.holder),
                mint=self.mint,
                dest=self.account_of(self.other),
                owner=self.holder.pubkey(),
                amount=amount,
                decimals=DECIMALS,
                signers=[],
            )
        )


def new_account(
    net: Localnet, payer: Keypair, address: Pubkey, space: int, owner: Pubkey
) -> Instruction:
    return create_account(
        CreateAccountParams(
            from_pubkey=payer.pubkey(),
            to_pubkey=address,
            lamports=net.rent(space),
            space=space,
            owner=owner,
        )
    )


def make_token(net: Localnet, program: Pubkey) -> Token:
    """All of it confirmed."""
    payer, holder, other = (net.funded() for _ in range(3))
    mint, delegate = Keypair(), Keypair()
    token = Token(net, program, payer, mint.pubkey(), holder, other, delegate)
    net.run(
        [
            new_account(net, payer, mint.pubkey(), MINT_BYTES, program),
            spl.initialize_mint2(
                models.InitializeMint2Params(
                    decimals=DECIMALS,
                    program_id=program,
                    mint=mint.pubkey(),
                    mint_authority=payer.pubkey(),
                    freeze_authority=payer.pubkey(),
                )
            ),
        ],
        payer,
        mint,
    )
    for owner, amount in ((holder, 1_500_000), (other, 250_000)):
        net.run(
            [
                spl.create_associated_token_account(
                    payer.pubkey(), owner.pubkey(), mint.pubkey(), program
                ),
                spl.mint_to(
                    models.MintToParams(
                        program_id=program,
                        mint=mint.pubkey(),
                        dest=token.account_of(owner),
                        mint_authority=payer.pubkey(),
                        amount=amount,
                        signers=[],
                    )
                ),
            ],
            payer,
        )
    last = net.run(
        [
            spl.approve(
                models.ApproveParams(
                    program_id=program,
                    source=token.account_of(holder),
                    delegate=delegate.pubkey(),
                    owner=holder.pubkey(),
                    amount=100_000,
                    signers=[],
                )
            )
        ],
        holder,
    )
    net.confirm(last)
    return token
