export { customer } from './customer.js';
export { type ReceivedEvent, type ReceiverOptions, receiver } from './receiver.js';
