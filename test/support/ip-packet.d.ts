// ip-packet has no types; these are of what the tests use.
declare module 'ip-packet' {
  interface State {
    start: number;
    end: number;
    buffer: Buffer;
  }
  interface Packet {
    version: number;
    ihl?: number;
    dscp: number;
    ecn: number;
    identification: number;
    flags: number;
    fragmentOffset: number;
    ttl: number;
    protocol: number;
    checksum: number;
    sourceIp: string;
    destinationIp: string;
    data: Buffer;
  }
  const codec: {
    encode(state: State, packet: Packet): void;
    decode(state: State): Packet & { length: number };
    checksum(packet: Uint8Array): number;
  };
  export default codec;
}
