import { hostileReceiver } from '@posthorn/testing/hostile-receiver';

/*
 * Hostile receivers, a process of their own, so that the memory of the sender is the sender's. `hostile <behaviour> …`
 * tells its parent the address of each, and the authority to trust.
 */

const receivers = await Promise.all(process.argv.slice(2).map((name) => hostileReceiver(name)));
process.send!({ urls: receivers.map(({ url }) => url), ca: receivers[0]!.ca });
