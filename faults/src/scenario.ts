import type { Finding, Rig } from './rig.js';

interface ScenarioOptions {
  /** 1 is the full size; CI runs a part of it. */
  readonly size: number;
  /** For how long the day in fast motion goes on, where that was said. */
  readonly soakSeconds?: number;
}

export interface Scenario {
  /** As the list of faults has it. */
  readonly id: string;
  readonly what: string;
  /** Settings of the server, where it must be one of its own. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly isMatrix?: boolean;
  run(rig: Rig, options: ScenarioOptions): Promise<Finding[]>;
}
