import type { ServerEvents } from '../protocol/index.js';

type Receipt = ServerEvents['message:receipt'];

const FLUSH_MS = 100;
/** What the receipts of one room may cost: each is written to every connection in it. */
const WRITES_PER_FLUSH = 500;

/**
 * Tells a room who has received and read what. In a room of n people everybody's receipt goes to everybody, n² writes for
 * each message: so a room's receipts have a budget of writes. What exceeds it waits, the longest first, and of one
 * user only the latest is told (P7).
 */
export class ReceiptBoard {
  private readonly waiting = new Map<string, Receipt>();
  private timer: NodeJS.Timeout | undefined;
  private left = WRITES_PER_FLUSH;

  constructor(
    /** How many connections a receipt is written to. */
    private readonly audience: () => number,
    private readonly tell: (receipt: Receipt) => void,
  ) {}

  hear(receipt: Receipt): void {
    this.waiting.set(receipt.userId, receipt);
    this.spend();
    this.timer ??= setTimeout(() => this.renew(), FLUSH_MS).unref();
  }

  close(): void {
    clearTimeout(this.timer);
    this.waiting.clear();
  }

  private renew(): void {
    this.timer = undefined;
    // A debt stays: a room larger than the budget is told one receipt in several rounds.
    this.left = Math.min(WRITES_PER_FLUSH, this.left + WRITES_PER_FLUSH);
    this.spend();
    if (this.waiting.size > 0 || this.left < WRITES_PER_FLUSH) {
      this.timer = setTimeout(() => this.renew(), FLUSH_MS).unref();
    }
  }

  private spend(): void {
    for (const [userId, receipt] of this.waiting) {
      if (this.left <= 0) return;
      this.waiting.delete(userId);
      this.left -= this.audience();
      this.tell(receipt);
    }
  }
}
