import type { Reporter, TestCase } from 'vitest/node';

/** Names the tests that passed at their second try only: they may depend on the speed of the machine, or show a rare fault. */
export default class SecondTries implements Reporter {
  private readonly names: string[] = [];

  onTestCaseResult(test: TestCase): void {
    if (test.diagnostic()?.flaky) this.names.push(`${test.module.relativeModuleId}: ${test.fullName}`);
  }

  onTestRunEnd(): void {
    for (const name of this.names) console.log(`PASSED AT THE SECOND TRY ONLY: ${name}`);
  }
}
