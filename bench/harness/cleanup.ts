/** What must be ended when the benchmark ends, however it does: the last first. */
export class Cleanup {
  private readonly tasks: (() => Promise<unknown>)[] = [];
  private running: Promise<void> | undefined;

  add(task: () => Promise<unknown>): void {
    this.tasks.push(task);
  }

  /** Ends everything, once. A task that fails is told of and does not keep the others. */
  run(): Promise<void> {
    this.running ??= this.runAll();
    return this.running;
  }

  private async runAll(): Promise<void> {
    for (let task = this.tasks.pop(); task; task = this.tasks.pop()) {
      await task().catch((error: unknown) => console.error(`not ended cleanly: ${String(error)}`));
    }
  }
}
