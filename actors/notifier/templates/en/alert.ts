import { briefly, nameOf, tallied } from '../alerts.ts'
import { alertOf, type Template } from '../wording.ts'

export const alert: Template = (subject) => {
  const { alerts, externalURL, truncated } = alertOf(subject)
  const { firing, resolved } = tallied(alerts)
  const counts = [firing && `${firing} firing`, resolved && `${resolved} resolved`].filter(Boolean).join(', ')
  return {
    title: `[alert] ${counts}: ${briefly(alerts)}`,
    body: [
      ...alerts.map((it) => `${it.status}: ${nameOf(it)} (since ${it.startsAt})`),
      ...(truncated > 0 ? [`More alerts, which were left out: ${truncated}.`] : []),
    ],
    short: `[alert] ${counts}: ${briefly(alerts)}`,
    facts: [['Alertmanager', externalURL || null]],
  }
}
