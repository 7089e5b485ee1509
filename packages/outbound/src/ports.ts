/** Ports of services that may misinterpret an HTTP request (WHATWG Fetch §2.9, "Port blocking"). */
const badPorts: ReadonlySet<number> = new Set([
  0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104,
  109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515,
  526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049,
  3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
]);

/**
 * Ports of services meant for internal networks that are often exposed by mistake, mainly databases. Webhooks are not
 * received there, and some of these services execute a POST as a command.
 */
const servicePorts: ReadonlyMap<string, readonly number[]> = new Map([
  ['a database', [1433, 1434, 1521, 3306, 5432, 5984, 7687, 9042, 26257, 27017, 27018, 27019, 33060]],
  ['a cache', [6379, 11211, 26379]],
  ['a search engine', [8983, 9200, 9300]],
  ['a message broker', [1883, 4222, 5671, 5672, 8883, 9092, 11300, 15672, 61613, 61616]],
  ['a cluster or its containers', [2181, 2375, 2376, 2377, 2379, 2380, 10250, 10255]],
  ['files or directories', [445, 873, 3268, 3269, 3690, 9418]],
  ['remote control', [1099, 3389, 5900, 5985, 5986]],
]);

const services: ReadonlyMap<number, string> = new Map(
  [...servicePorts].flatMap(([service, ports]) => ports.map((port) => [port, service] as const)),
);

/**
 * Names the service of a refused port. Returns undefined for an allowed port; for trusted hosts only bad ports are
 * refused.
 */
export function whyNoWebPort(port: number, isTrusted: boolean): string | undefined {
  if (badPorts.has(port)) return 'another service, one that browsers refuse';
  return isTrusted ? undefined : services.get(port);
}
