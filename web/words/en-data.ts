/** The texts of the page about what is kept of a person. */
export const enData = {
  myData: {
    title: 'My data',
    link: 'Export or erase my data',
    keptTitle: 'What is kept',
    kept: 'Your reservations, how you are notified, and the messages that you were sent.',
    reservations: 'Download my reservations',
    notices: 'Download my settings and messages',
    eraseTitle: 'Erase',
    erase:
      'Your reservations lose your name, and your settings and messages are deleted. This cannot be undone. The record of what happened to books names you for up to 90 days or as long as the library has set.',
    confirm: 'Yes, erase my data',
    submit: 'Erase',
    unconfirmed: 'Tick the box to confirm.',
    active:
      'You still have reservations, or copies at home. Cancel the reservations and bring the copies back first. A cancellation takes a moment.',
  },
}

export type DataWords = typeof enData
