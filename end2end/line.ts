// The line between the Desk and the old server, which a test can hold: what goes on over it then stands still where the
// test wants to look at it, however fast or slow the machine is. Knows nothing of the protocol that passes.

import { connect, createServer, type Server, type Socket } from 'node:net';
import { pipeline, Transform } from 'node:stream';

/** What each connection may carry in any case: its greeting and log-in, for which clients do not wait long. */
const GREETING = 32_768;

export class Line {
  private left = Infinity;
  private wake = () => {};
  private changed = new Promise<void>((wake) => (this.wake = wake));
  private readonly open = new Set<Socket>();

  private constructor(private readonly server: Server) {}

  /** A line to a port of this machine. */
  static async to(port: number): Promise<Line> {
    const server = createServer({ noDelay: true });
    const line = new Line(server);
    server.on('connection', (client) => line.carry(client, connect({ port, host: '127.0.0.1', noDelay: true })));
    await new Promise<void>((listening, failed) => {
      server.once('error', failed);
      server.listen(0, '127.0.0.1', listening);
    });
    return line;
  }

  get port(): number {
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('the line has no port');
    return address.port;
  }

  /** So many more bytes come from the server, over all connections together; the rest waits. */
  holdAfter(bytes: number): void {
    this.allow(bytes);
  }

  /** Everything passes again, first of all what was held. */
  release(): void {
    this.allow(Infinity);
  }

  /** Ends all connections. */
  close(): void {
    this.server.close();
    for (const socket of this.open) socket.destroy();
  }

  private allow(bytes: number): void {
    this.left = Math.floor(bytes);
    this.wake();
    this.changed = new Promise((wake) => (this.wake = wake));
  }

  private carry(client: Socket, server: Socket): void {
    for (const socket of [client, server]) {
      this.open.add(socket);
      socket.once('close', () => this.open.delete(socket));
    }
    let carried = 0;
    const gate = new Transform({
      transform: async (chunk: Buffer, _encoding, done) => {
        let rest = chunk;
        while (rest.length > 0 && !gate.destroyed) {
          const part = rest.subarray(0, Math.max(GREETING - carried, Math.min(rest.length, this.left), 0));
          if (part.length === 0) {
            await this.changed;
            continue;
          }
          this.left -= Math.min(this.left, part.length);
          carried += part.length;
          gate.push(part);
          rest = rest.subarray(part.length);
        }
        done();
      },
    });
    // A connection that breaks off breaks off at both ends, and that is all there is to it.
    pipeline(client, server, () => client.destroy());
    pipeline(server, gate, client, () => server.destroy());
  }
}
