import { hostileReceiver } from '@posthorn/testing/hostile-receiver';

/*
 * Hostile receivers, in a process of their own, so that the memory of the sender can be measured alone. `hostile
 * <behaviour> …` sends its parent the address of each, and the certificate authority to trust.
 */

const receivers = await Promise.all(process.argv.slice(2).map((name) => hostileReceiver(name)));
process.send!({ urls: receivers.map(({ url }) => url), ca: receivers[0]!.ca });
