/** Property of a response under which its shared fields are kept. */
export const SHARED = Symbol('shared fields');

/** A response whose fields `Name` are the same object as in other responses, so that they are serialized once. */
export type WithSharedFields<Response, Name extends keyof Response> = Omit<Response, Name> & {
  [SHARED]: SharedFields<Pick<Response, Name>>;
};

/** Immutable fields that several responses have in common. They are serialized and encoded once. */
export class SharedFields<Fields extends object> {
  private packetEnd: PacketEnd | undefined;

  constructor(private readonly fields: Fields) {}

  /** Returns the end of an ack packet whose response has these fields last. */
  get end(): PacketEnd {
    return (this.packetEnd ??= new PacketEnd(`${JSON.stringify(this.fields).slice(1)}]`));
  }
}

/** The end that several packets have in common. */
export class PacketEnd {
  readonly bytes: Buffer;

  constructor(readonly text: string) {
    this.bytes = Buffer.from(text);
  }
}

/**
 * A packet whose end is shared with other packets. engine.io and long polling treat it as an ordinary string. On a
 * WebSocket, the bytes of its beginning are written first, then the shared bytes of its end (half a megabyte for a large
 * conversation).
 */
export class SharedPacket extends String {
  constructor(
    private readonly beginning: string,
    private readonly end: PacketEnd,
  ) {
    super(beginning + end.text);
  }

  /** Returns one WebSocket frame with `prefix` and the text, as two buffers to write one after the other. */
  frame(prefix: string): [Buffer, Buffer] {
    const beginning = Buffer.from(prefix + this.beginning);
    const header = frameHeader(beginning.length + this.end.bytes.length);
    return [Buffer.concat([header, beginning]), this.end.bytes];
  }
}

const FINAL_TEXT = 0x81;

/** Returns the header of a text message in one frame, unmasked as servers send it (RFC 6455, 5.2). */
function frameHeader(length: number): Buffer {
  if (length < 126) return Buffer.from([FINAL_TEXT, length]);
  if (length < 65_536) {
    const header = Buffer.from([FINAL_TEXT, 126, 0, 0]);
    header.writeUInt16BE(length, 2);
    return header;
  }
  const header = Buffer.alloc(10);
  header[0] = FINAL_TEXT;
  header[1] = 127;
  header.writeBigUInt64BE(BigInt(length), 2);
  return header;
}
