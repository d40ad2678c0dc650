/** The last line of a test run: how many tests passed and failed. A test that was not run counts as failed in CI. */
import type { Reporter, TestModule } from 'vitest/node';

export class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    let passed = 0;
    let failed = errors.length;
    const notRun: string[] = [];
    for (const module of modules) {
      if (module.state() === 'failed' && [...module.children.allTests('failed')].length === 0) failed++;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed') passed++;
        else if (state === 'failed') failed++;
        else notRun.push(`${module.relativeModuleId}: ${test.fullName}`);
      }
    }
    if (process.env.CI && notRun.length > 0) {
      failed += notRun.length;
      process.exitCode = 1;
      console.log(`not run, which CI takes for a failure:\n${notRun.join('\n')}`);
    }
    // After everything that the other reporters and vitest itself have to say.
    process.once('exit', () => console.log(`${passed} passed, ${failed} failed`));
  }
}
