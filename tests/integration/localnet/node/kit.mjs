// @solana/kit against a localnet: node kit.mjs RPC-URL WEBSOCKET-URL
import assert from "node:assert/strict";
import {
  AccountRole,
  address,
  airdropFactory,
  appendTransactionMessageInstruction,
  createSolanaRpc,
  createSolanaRpcSubscriptions,
  createTransactionMessage,
  generateKeyPairSigner,
  getSignatureFromTransaction,
  lamports,
  pipe,
  sendAndConfirmTransactionFactory,
  setTransactionMessageFeePayerSigner,
  setTransactionMessageLifetimeUsingBlockhash,
  signTransactionMessageWithSigners,
} from "@solana/kit";

const SOL = 1_000_000_000n;
const SYSTEM = address("11111111111111111111111111111111");
const rpc = createSolanaRpc(process.argv[2]);
const rpcSubscriptions = createSolanaRpcSubscriptions(process.argv[3]);
const sendAndConfirm = sendAndConfirmTransactionFactory({ rpc, rpcSubscriptions });
const payer = await generateKeyPairSigner();
const to = await generateKeyPairSigner();
const abortSignal = AbortSignal.timeout(120_000);
const confirmed = [];

function transfer(amount) {
  const data = new DataView(new ArrayBuffer(12));
  data.setUint32(0, 2, true);
  data.setBigUint64(4, amount, true);
  return {
    programAddress: SYSTEM,
    accounts: [
      { address: payer.address, role: AccountRole.WRITABLE_SIGNER, signer: payer },
      { address: to.address, role: AccountRole.WRITABLE },
    ],
    data: new Uint8Array(data.buffer),
  };
}

async function signed(version, amount) {
  const { value: latest } = await rpc.getLatestBlockhash().send();
  return pipe(
    createTransactionMessage({ version }),
    (message) => setTransactionMessageFeePayerSigner(payer, message),
    (message) => setTransactionMessageLifetimeUsingBlockhash(latest, message),
    (message) => appendTransactionMessageInstruction(transfer(amount), message),
    (message) => signTransactionMessageWithSigners(message),
  );
}

async function airdrop() {
  await airdropFactory({ rpc, rpcSubscriptions })({
    abortSignal,
    commitment: "confirmed",
    lamports: lamports(10n * SOL),
    recipientAddress: payer.address,
  });
  const { value } = await rpc.getBalance(payer.address, { commitment: "confirmed" }).send();
  assert.equal(value, 10n * SOL);
}

async function first(pending, wanted = () => true) {
  for await (const told of await pending) if (wanted(told)) return told;
  throw new Error("the subscription ended");
}

async function subscriptions() {
  const commitment = "confirmed";
  const [account, logs, slots, roots, programs] = await Promise.all([
    rpcSubscriptions
      .accountNotifications(to.address, { commitment, encoding: "base64" })
      .subscribe({ abortSignal }),
    rpcSubscriptions
      .logsNotifications({ mentions: [to.address] }, { commitment })
      .subscribe({ abortSignal }),
    rpcSubscriptions.slotNotifications().subscribe({ abortSignal }),
    rpcSubscriptions.rootNotifications().subscribe({ abortSignal }),
    rpcSubscriptions
      .programNotifications(SYSTEM, { commitment: "processed", encoding: "base64" })
      .subscribe({ abortSignal }),
  ]);
  const told = Promise.all([
    first(account),
    first(logs),
    first(slots),
    first(roots),
    first(programs, (item) => item.value.pubkey === to.address),
  ]);
  const transaction = await signed("legacy", SOL);
  await sendAndConfirm(transaction, { abortSignal, commitment });
  const signature = getSignatureFromTransaction(transaction);
  confirmed.push(signature);
  const [changed, said, slot, root, keyed] = await told;
  assert.equal(changed.value.lamports, SOL);
  assert.deepEqual(changed.value.data, ["", "base64"]);
  assert.equal(said.value.signature, signature);
  assert.equal(said.value.err, null);
  assert.equal(slot.parent, slot.slot - 1n);
  assert.equal(typeof root, "bigint");
  assert.equal(keyed.value.account.lamports, SOL);

  const final = await rpcSubscriptions
    .signatureNotifications(signature, { commitment: "finalized" })
    .subscribe({ abortSignal });
  assert.equal((await first(final)).value.err, null);
}

async function versions() {
  for (const [version, amount] of [[0, 7n], [1, 5n]]) {
    const transaction = await signed(version, amount);
    await sendAndConfirm(transaction, { abortSignal, commitment: "confirmed" });
    const signature = getSignatureFromTransaction(transaction);
    const found = await rpc
      .getTransaction(signature, {
        commitment: "confirmed",
        encoding: "json",
        maxSupportedTransactionVersion: version,
      })
      .send();
    assert.equal(found.version, version);
    assert.equal(found.meta.err, null);
    confirmed.push(signature);
  }
  const listed = await rpc.getSignaturesForAddress(to.address, { commitment: "confirmed" }).send();
  assert.deepEqual(listed.map((item) => item.signature), [...confirmed].reverse());
}

async function programAccounts() {
  const loader = address("BPFLoaderUpgradeab1e11111111111111111111111");
  const programs = await rpc
    .getProgramAccounts(loader, { encoding: "base64", filters: [{ dataSize: 36n }] })
    .send();
  assert.ok(programs.length > 0);
  assert.ok(programs.every((item) => item.account.space === 36n));
}

async function refusals() {
  const transaction = await signed(0, 1_000n * SOL);
  await assert.rejects(sendAndConfirm(transaction, { abortSignal, commitment: "confirmed" }));
}

for (const part of [airdrop, subscriptions, versions, programAccounts, refusals]) {
  await part();
  console.log(`ok ${part.name}`);
}
process.exit(0); // subscriptions are still open
