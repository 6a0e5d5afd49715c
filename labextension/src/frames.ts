/** A frame: one binary WebSocket message, one type byte and then the payload. Mirrors `core/frames.py`. */

export enum FrameType {
  NotebookSync = 0x00,
  Request = 0x01,
  Response = 0x02,
  Event = 0x03,
  Presence = 0x04,
  RuntimeSync = 0x05,
  Status = 0x07
}

export interface IFrame {
  readonly type: number;
  readonly payload: Uint8Array;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function encodeFrame(type: FrameType, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(payload.length + 1);
  frame[0] = type;
  frame.set(payload, 1);
  return frame;
}

export function encodeJsonFrame(type: FrameType, body: object): Uint8Array {
  return encodeFrame(type, encoder.encode(JSON.stringify(body)));
}

/** Split a message; null for an empty one, which is no frame. Unknown types are given back as they are. */
export function decodeFrame(message: Uint8Array): IFrame | null {
  return message.length === 0 ? null : { type: message[0], payload: message.subarray(1) };
}

export function decodeJson(payload: Uint8Array): unknown {
  return JSON.parse(decoder.decode(payload));
}

/** Why the server closed a socket. */
export enum CloseCode {
  Malformed = 1002,
  Rate = 1008,
  TooBig = 1009,
  TooSlow = 1013,
  Forbidden = 4403,
  NoSuchRoom = 4404,
  RoomClosed = 4409,
  OtherLineage = 4410
}
