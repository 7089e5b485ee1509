/** Of resolv.conf(5), which names to ask for. Whom to ask is read by c-ares, behind Node's resolvers. */
export interface ResolvConf {
  /** Domains of this network, to be tried behind a name. */
  readonly search: readonly string[];
  /** A name with fewer dots is tried in these domains first. */
  readonly ndots: number;
}

export const resolvConfFile = '/etc/resolv.conf';

/** As many as Kubernetes gives a pod at most. */
const maxSearch = 32;

const maxNdots = 15;

/** Of a line that comes again the last one counts. */
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

/** The names to ask DNS for in turn, as the system would. */
export function candidatesOf(host: string, { search, ndots }: ResolvConf): readonly string[] {
  const within = search.map((domain) => `${host}.${domain}`);
  return host.split('.').length > ndots ? [host, ...within] : [...within, host];
}
