import type { Finding, Rig } from './rig.js';

interface ScenarioOptions {
  /** 1 is the full size; CI runs a fraction of it. */
  readonly size: number;
  /** The duration of the day in fast motion, if it was given. */
  readonly soakSeconds?: number;
}

export interface Scenario {
  /** The id in the list of faults. */
  readonly id: string;
  readonly what: string;
  /** Settings of Postgres, if the scenario needs a server of its own. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly isMatrix?: boolean;
  run(rig: Rig, options: ScenarioOptions): Promise<Finding[]>;
}
