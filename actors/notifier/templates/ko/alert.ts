import { briefly, nameOf, tallied } from '../alerts.ts'
import { alertOf, type Template } from '../wording.ts'

export const alert: Template = (subject) => {
  const { alerts, externalURL, truncated } = alertOf(subject)
  const { firing, resolved } = tallied(alerts)
  const counts = [firing && `발생 ${firing}건`, resolved && `해소 ${resolved}건`].filter(Boolean).join(', ')
  return {
    title: `[경보] ${counts}: ${briefly(alerts)}`,
    body: [
      ...alerts.map((it) => `${it.status === 'firing' ? '발생' : '해소'}: ${nameOf(it)} (${it.startsAt})`),
      ...(truncated > 0 ? [`생략된 경보가 ${truncated}건 더 있습니다.`] : []),
    ],
    short: `[경보] ${counts}: ${briefly(alerts)}`,
    facts: [['Alertmanager', externalURL || null]],
  }
}
