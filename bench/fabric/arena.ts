/** Contestants of one setting that are up and warm, each built when it is first needed. */
import { Run } from '../../lab/run.ts';
import { build, type ContestantName } from './contestants/contestants.ts';
import { LoadedContestant } from './pods.ts';
import type { Setting } from './setting.ts';
import { stream, udp } from './works.ts';

const SMALL = { size: 64, flows: 1 };

export class Arena {
  readonly setting: Setting;
  readonly #run = new Run();
  readonly #warmUpSeconds: number;
  readonly #built = new Map<ContestantName, Promise<LoadedContestant>>();

  constructor(setting: Setting, warmUpSeconds: number) {
    this.setting = setting;
    this.#warmUpSeconds = warmUpSeconds;
  }

  get(name: ContestantName): Promise<LoadedContestant> {
    const known = this.#built.get(name) ?? this.#build(name);
    this.#built.set(name, known);
    return known;
  }

  /**
   * Some traffic before anything is measured, the same for all: a virtual machine compiles what it runs often, and TCP
   * keeps what it learnt about a destination. A service that runs for weeks is not measured in its first second.
   */
  async #build(name: ContestantName): Promise<LoadedContestant> {
    const pods = new LoadedContestant(this.#run, await build(this.#run, name, name, this.setting));
    await stream(pods, 'forward', 1, this.#warmUpSeconds);
    await udp(pods, SMALL, 0, this.#warmUpSeconds);
    return pods;
  }

  /** After a failure of its load. */
  async restartLoad(name: ContestantName): Promise<void> {
    await this.#built.get(name)?.then(
      (pods) => pods.restart(),
      () => {},
    );
  }

  close(): Promise<void> {
    return this.#run.close();
  }
}
