/** The load of one contestant: agents in both pods, started when first needed, and servers that answer. */
import type { Run } from '../../lab/run.ts';
import { Agent } from './agent.ts';
import type { Contestant } from './contestants/contestants.ts';

export const Port = { udp: 9999, echo: 9998, transactions: 9997, streams: 9996 } as const;

/** `main` carries the load; `probe` measures beside it, or carries a second load the other way. */
export type AgentName = 'a' | 'b' | 'probe-a' | 'probe-b';
type ServerName = 'echo' | 'transactions';

export class LoadedContestant {
  readonly contestant: Contestant;
  readonly #run: Run;
  readonly #agents = new Map<string, Promise<Agent>>();

  constructor(run: Run, contestant: Contestant) {
    this.#run = run;
    this.contestant = contestant;
  }

  agent(name: AgentName): Promise<Agent> {
    const { a, b } = this.contestant;
    return this.#once(name, () => Agent.start(this.#run, name.endsWith('a') ? a : b, 'agent'));
  }

  /** In pod b. */
  async server(name: ServerName): Promise<void> {
    const { b, setting } = this.contestant;
    const options = { family: setting.family, port: Port[name] };
    await this.#once(name, () => Agent.start(this.#run, b, name, options));
  }

  /** After a failure: what was said halfway must not be taken for the next answer. */
  async restart(): Promise<void> {
    const agents = [...this.#agents.values()];
    this.#agents.clear();
    for (const agent of agents) await agent.then(({ stop }) => stop()).catch(() => {});
  }

  #once(name: string, start: () => Promise<Agent>): Promise<Agent> {
    const known = this.#agents.get(name) ?? start();
    this.#agents.set(name, known);
    return known;
  }
}
