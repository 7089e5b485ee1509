import { once } from 'node:events';
import { type ParsedMail, simpleParser } from 'mailparser';
import { SMTPServer, type SMTPServerDataStream, type SMTPServerSession } from 'smtp-server';
import { type Certificate, certificate } from '../hostile-receiver/certificate.js';
import {
  createFaults,
  type SmtpFault,
  type SmtpFaultOptions,
  type SmtpReply,
  type SmtpStage,
} from './faults.js';

export type { SmtpFault, SmtpFaultOptions, SmtpReply, SmtpStage } from './faults.js';

/** One complete message, whatever the answer to it was. */
export interface SmtpMessage {
  /** The sender of the envelope, as in `MAIL FROM`. */
  readonly from: string;
  /** The recipients of the envelope whose `RCPT TO` was accepted, with domains in Unicode. */
  readonly to: readonly string[];
  /** Parsed by mailparser: subject, addresses, headers, html and text. */
  readonly mail: ParsedMail;
  /** As received. */
  readonly source: string;
  /** Whether it was answered with 250. After any other answer, or none, the client still has it. */
  readonly isAccepted: boolean;
}

/** Options of `smtpStandIn`. */
export interface SmtpStandInOptions {
  /**
   * `starttls` offers STARTTLS, `implicit` uses TLS from the first byte, `none` supports no TLS. Default `starttls`.
   */
  readonly tls?: 'starttls' | 'implicit' | 'none';
  /** The required login. Default: none is required. A login needs TLS, unless the server has none. */
  readonly auth?: { readonly user: string; readonly pass: string };
  /** Larger messages are answered with 552. Announced in the greeting (RFC 1870). Default 10 MiB. */
  readonly maxBytes?: number;
  /** Whether a recipient's first `RCPT TO` is answered with 451, and the next ones accepted. Default false. */
  readonly greylist?: boolean;
  /**
   * After this many refused recipients of one connection, the next one is answered with 421 and the connection is
   * closed, as by Postfix (`smtpd_hard_error_limit`). Default: never.
   */
  readonly maxRefusals?: number;
}

/**
 * Settings with which nodemailer reaches the server, for `createTransport`, or for the option `transport` of
 * `emailChannel`.
 */
export interface SmtpSettings {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  readonly auth?: { readonly user: string; readonly pass: string };
  /** Trusts the server's certificate. */
  readonly tls: { readonly ca: string };
}

/** A mail server on 127.0.0.1 that keeps what it gets. */
export interface SmtpStandIn {
  readonly port: number;
  /** `smtp://127.0.0.1:…` or `smtps://…`, with user name and password where a login is required. */
  readonly url: string;
  /** The authority of its certificate, in PEM. */
  readonly ca: string;
  readonly settings: SmtpSettings;
  /** All complete messages, in order. */
  readonly messages: readonly SmtpMessage[];
  /** Every address of a RCPT TO, in order, whatever the answer was. */
  readonly recipients: readonly string[];
  /** Returns how many connections there have been. */
  connections(): number;
  /** Ends this stage with the fault from now on; see {@link SmtpStage}. */
  fail(stage: SmtpStage, fault: SmtpFault, options?: SmtpFaultOptions): void;
  /** Removes all faults. Conversations that hang stay hanging. */
  recover(): void;
  /** Ends every open connection. */
  hangUp(): void;
  /** Ends every connection, and stops listening. */
  close(): Promise<void>;
}

type Done = (error?: Error | null, text?: string) => void;

const errorOf = (code: number, text: string): Error => Object.assign(new Error(text), { responseCode: code });

function say({ code, text }: SmtpReply, done: Done, source: string): void {
  const message = typeof text === 'string' ? text : text(source);
  done(code < 300 ? null : errorOf(code, message), message);
}

let authority: Certificate | undefined;

/**
 * Starts a real SMTP server on 127.0.0.1 that forwards nothing: STARTTLS or implicit TLS, AUTH, size limits and
 * greylisting, and faults at any stage by `fail`. Needs the packages smtp-server and mailparser.
 */
export async function smtpStandIn(options: SmtpStandInOptions = {}): Promise<SmtpStandIn> {
  const { tls = 'starttls', auth, maxBytes = 10 * 1024 * 1024, greylist = false } = options;
  const { maxRefusals = Number.POSITIVE_INFINITY } = options;
  const messages: SmtpMessage[] = [];
  const recipients: string[] = [];
  /** The recipients that have been greylisted. */
  const known = new Set<string>();
  /** The number of refused recipients, by connection. */
  const refusals = new WeakMap<SMTPServerSession, number>();
  let connections = 0;
  authority ??= certificate({ name: 'SMTP stand-in authority' });
  const { cert, key } = certificate({ name: 'smtp.test', issuer: authority, ips: ['127.0.0.1'] });

  const faults = createFaults();

  /** Ends the connection of one client, or of all. Answers that were written before go out first. */
  function hangUp(session?: SMTPServerSession): void {
    for (const { id, _socket: socket } of server.connections) {
      if (session === undefined || id === session.id) socket.destroySoon();
    }
  }
  /** Ends a stage with its fault; continues with `go` where there is none. */
  function end(
    fault: SmtpFault | undefined,
    session: SMTPServerSession,
    done: Done,
    go: () => void = done,
    source = '',
  ): void {
    if (fault === undefined) go();
    else if (fault === 'drop') hangUp(session);
    else if (fault !== 'hang') say(fault, done, source);
  }

  const server = new SMTPServer({
    cert,
    key,
    secure: tls === 'implicit',
    disabledCommands: [...(tls === 'none' ? ['STARTTLS'] : []), ...(auth ? [] : ['AUTH'])],
    allowInsecureAuth: tls === 'none',
    authOptional: !auth,
    size: maxBytes,
    rejectOversized: true,
    disableReverseLookup: true,
    closeTimeout: 1,
    onConnect(session, done) {
      connections += 1;
      end(faults.take('connect'), session, done);
    },
    onAuth({ username, password }, session, done) {
      const isKnown = username === auth?.user && password === auth?.pass;
      const invalid = errorOf(535, '5.7.8 Authentication credentials invalid');
      end(
        faults.take('auth'),
        session,
        (error) => done(error),
        () => (isKnown ? done(null, { user: username ?? '' }) : done(invalid)),
      );
    },
    onMailFrom: ({ address }, session, done) => end(faults.take('mail', address), session, done),
    onRcptTo({ address }, session, answer) {
      recipients.push(address);
      const before = refusals.get(session) ?? 0;
      if (before >= maxRefusals) return answer(errorOf(421, '4.7.0 Error: too many errors'));
      const done: Done = (error) => {
        if (error) refusals.set(session, before + 1);
        answer(error);
      };
      end(faults.take('rcpt', address), session, done, () => {
        if (!greylist || known.has(address)) return done();
        known.add(address);
        done(errorOf(451, '4.7.1 Greylisted, try again later'));
      });
    },
    onData(stream, session, done) {
      receive(stream, session, done).catch(done);
    },
  });

  /** Rejects where the client disconnects in the middle of its message. */
  async function receive(
    stream: SMTPServerDataStream,
    session: SMTPServerSession,
    done: Done,
  ): Promise<void> {
    const coming = faults.take('data');
    if (coming === 'drop') stream.once('data', () => hangUp(session));
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    if (coming === 'drop') return;
    const source = Buffer.concat(chunks);
    const mail = await simpleParser(source);
    const { mailFrom, rcptTo } = session.envelope;
    const fault = coming ?? faults.take('answer');
    messages.push({
      from: mailFrom ? mailFrom.address : '',
      to: rcptTo.map(({ address }) => address),
      mail,
      source: source.toString('latin1'),
      isAccepted:
        !stream.sizeExceeded && (fault === undefined || (typeof fault === 'object' && fault.code < 300)),
    });
    end(fault, session, done, () => done(), source.toString());
  }

  server.on('error', () => {});
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  const address = server.server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return {
    ...addressOf(port, authority.cert, tls, auth),
    messages,
    recipients,
    connections: () => connections,
    fail: faults.add,
    recover: faults.clear,
    hangUp: () => hangUp(),
    async close() {
      hangUp();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function addressOf(
  port: number,
  ca: string,
  tls: SmtpStandInOptions['tls'],
  auth: SmtpStandInOptions['auth'],
): Pick<SmtpStandIn, 'port' | 'url' | 'ca' | 'settings'> {
  const login = auth ? `${encodeURIComponent(auth.user)}:${encodeURIComponent(auth.pass)}@` : '';
  const secure = tls === 'implicit';
  return {
    port,
    url: `${secure ? 'smtps' : 'smtp'}://${login}127.0.0.1:${port}`,
    ca,
    settings: { host: '127.0.0.1', port, secure, ...(auth && { auth }), tls: { ca } },
  };
}
