/** Where an answer keeps what it holds in common with others. */
export const SHARED = Symbol('shared fields');

/** An answer that holds these of its fields in common with others. */
export type Sharing<Answer, Name extends keyof Answer> = Omit<Answer, Name> & {
  [SHARED]: SharedFields<Pick<Answer, Name>>;
};

/** Fields that several answers hold, and that nobody changes any more: their JSON is made once, and so are its bytes. */
export class SharedFields<Fields extends object> {
  private made: PacketEnd | undefined;

  constructor(private readonly fields: Fields) {}

  /** How an acknowledgement ends whose answer has these fields last. */
  get end(): PacketEnd {
    return (this.made ??= new PacketEnd(`${JSON.stringify(this.fields).slice(1)}]`));
  }
}

/** The end of a packet, which other packets have as well. */
export class PacketEnd {
  readonly bytes: Buffer;

  constructor(readonly text: string) {
    this.bytes = Buffer.from(text);
  }
}

/**
 * A packet that ends as others do. It is text like any other to engine.io, and to long polling; to a WebSocket go the
 * bytes of its own beginning, and then those of the end, which are not made again (half a megabyte where a crowd is joined).
 */
export class SharedPacket extends String {
  constructor(
    private readonly beginning: string,
    private readonly end: PacketEnd,
  ) {
    super(beginning + end.text);
  }

  /** The WebSocket frame of the text behind `prefix`, in two parts. */
  frame(prefix: string): [Buffer, Buffer] {
    const beginning = Buffer.from(prefix + this.beginning);
    const header = frameHeader(beginning.length + this.end.bytes.length);
    return [Buffer.concat([header, beginning]), this.end.bytes];
  }
}

const FINAL_TEXT = 0x81;

/** Of a text message in one frame, as servers send it: without a mask (RFC 6455, 5.2). */
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
