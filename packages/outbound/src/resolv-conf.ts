/**
 * The parts of resolv.conf(5) that decide which names to query. c-ares, behind Node's resolvers, reads the name
 * servers.
 */
export interface ResolvConf {
  /** Search domains, to be appended to a name. */
  readonly search: readonly string[];
  /** A name with fewer dots is tried in the search domains first. */
  readonly ndots: number;
}

export const resolvConfFile = '/etc/resolv.conf';

/** The most that Kubernetes gives a pod. */
const maxSearch = 32;

const maxNdots = 15;

/** Parses resolv.conf(5). The last of repeated lines counts. */
export function readResolvConf(text: string): ResolvConf {
  let search: readonly string[] = [];
  let ndots = 1;
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line.trim().split(/\s+/);
    if (keyword === 'search' || keyword === 'domain') search = values;
    if (keyword !== 'options') continue;
    for (const value of values) {
      const [, dots] = /^ndots:(\d{1,3})$/.exec(value) ?? [];
      if (dots !== undefined) ndots = Math.min(Number(dots), maxNdots);
    }
  }
  const domains = search.map((domain) => domain.replace(/\.$/, '')).filter((domain) => domain !== '');
  return { search: domains.slice(0, maxSearch), ndots };
}

/** Lists the names to query, in the order that the system uses. */
export function candidatesOf(host: string, { search, ndots }: ResolvConf): readonly string[] {
  const within = search.map((domain) => `${host}.${domain}`);
  return host.split('.').length > ndots ? [host, ...within] : [...within, host];
}
