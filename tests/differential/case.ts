/** What the differential test sends: areas of cases, each a few requests over one connection. */
import { finishFrame, startFrame } from '../../broker/protocol/frame.ts'
import { encodeRequestHeader } from '../../broker/protocol/headers.ts'
import type { AnyApi, RequestToSend } from '../../broker/protocol/schema.ts'
import type { Scene } from './scene.ts'

/** One request, and how its answer is read. */
export interface Step {
  readonly label: string
  /** The whole frame, with what is known of the broker that it goes to. */
  readonly frame: (scene: Scene, correlationId: number) => Buffer
  /** The table of the answer; null where the protocol has none. */
  readonly answer: { readonly api: AnyApi; readonly version: number } | null
  /** Asked again while the answer says that something is on its way. */
  readonly eventually: boolean
  /** Asked again until the answer, as text, holds this. */
  readonly until?: string
}

export interface TopicSpec {
  readonly partitions?: number
  readonly configs?: Readonly<Record<string, string>>
}

export interface Area {
  readonly name: string
  /** Topics that are there before the first case. */
  readonly topics: Readonly<Record<string, TopicSpec>>
  /** Requests before the first case: records, groups. Not compared. */
  readonly prepare?: readonly Step[]
  readonly cases: Readonly<Record<string, Step | readonly Step[]>>
}

type Body<A extends AnyApi> = RequestToSend<A> | ((scene: Scene) => RequestToSend<A>)

/** A request by its table. A function gets what is known of the broker: ids that it has given. */
export function ask<A extends AnyApi>(api: A, version: number, body: Body<A>): Step {
  return {
    label: `${api.name} v${version}`,
    frame(scene, correlationId) {
      const request = typeof body === 'function' ? body(scene) : body
      const writer = startFrame()
      encodeRequestHeader(api, { apiVersion: version, correlationId, clientId: 'differential' }, writer)
      api.request.encode(version, request, writer)
      return Buffer.concat(finishFrame(writer))
    },
    answer: { api, version },
    eventually: false,
  }
}

/** The same, repeated while the broker says that it is not ready. */
export function eventually(step: Step): Step {
  return { ...step, eventually: true }
}

/** The same, repeated until its answer shows what an earlier request has changed. */
export function untilItShows(text: string, step: Step): Step {
  return { ...step, eventually: true, until: text }
}

/** A request that the protocol has no answer to: what is compared is whether the connection stays open. */
export function unanswered(step: Step): Step {
  return { ...step, answer: null }
}

/** The same request with its bytes, size included, changed: for what no table can say. */
export function altered(step: Step, label: string, change: (frame: Buffer) => Buffer): Step {
  return {
    ...step,
    label: `${step.label}, ${label}`,
    frame: (scene, correlationId) => resized(change(step.frame(scene, correlationId))),
  }
}

/** A request of any key and version; `hex` is what follows the correlation id. `answer`: how an answer is read. */
export function raw(apiKey: number, version: number, hex: string, answer: Step['answer']): Step {
  return {
    label: `API ${apiKey} v${version}`,
    frame(_scene, correlationId) {
      const header = Buffer.alloc(12)
      header.writeInt16BE(apiKey, 4)
      header.writeInt16BE(version, 6)
      header.writeInt32BE(correlationId, 8)
      return resized(Buffer.concat([header, Buffer.from(hex, 'hex')]))
    },
    answer,
    eventually: false,
  }
}

function resized(frame: Buffer): Buffer {
  frame.writeInt32BE(frame.length - 4)
  return frame
}
