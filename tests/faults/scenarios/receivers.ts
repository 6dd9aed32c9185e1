/** Mail servers and webhooks that refuse, are busy, hang, or send half a response. */
import { type Channel, type Mood, moods } from '../inbox.ts'
import type { Stage } from '../stage.ts'
import { acceptsAlways, type Scenario } from './scenario.ts'

export const receivers: Scenario[] = [
  {
    name: 'smtp-moods',
    title: 'the mail server refuses, is busy, hangs, sends half a response',
    needs: acceptsAlways,
    fault: (stage) => moody(stage, 'email'),
  },
  {
    name: 'webhook-moods',
    title: 'webhooks refuse, are busy, hang, send half a response',
    needs: acceptsAlways,
    fault: (stage) => moody(stage, 'webhook', 'chat'),
  },
]

/** Each mood for a while, for most deliveries. */
async function moody(stage: Stage, ...channels: Channel[]): Promise<void> {
  const { inbox } = stage.world
  for (const mood of stage.random.shuffled(moods)) {
    stage.note(`${channels.join(' and ')}: ${mood}`)
    inbox.moodOf = (channel): Mood => (channels.includes(channel) && stage.random.chance(0.7) ? mood : 'take')
    await stage.seconds(1.5)
  }
  inbox.moodOf = () => 'take'
}
