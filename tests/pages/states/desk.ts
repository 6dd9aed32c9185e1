/** States of the pages for the desk and the shelf. */
import { sending, unfold } from './acts.ts'
import { type State, staff } from './state.ts'

export const desk: State[] = [
  { name: 'the desk', path: '/desk', as: staff },
  { name: 'the desk with a code', path: '/desk?scan={ready}', as: staff },
  {
    name: 'the desk with the card of another customer',
    path: '/desk?scan={ready}',
    as: staff,
    allowed: /409/,
    act: sending('#card', 'somebody', '.answer.bad'),
  },
  { name: 'the desk with several copies of a book', path: '/desk?scan={isbn}', as: staff },
  { name: 'the desk with a customer of nothing', path: '/desk?scan=nobody', as: staff },
  { name: 'the desk with a scan of nothing', path: '/desk?scan=AB-CD%20%ED%95%9C', as: staff },
  { name: 'a copy handed over', path: '/desk?did=handedOver&of={collected}&userid=visitor', as: staff },
  { name: 'a cancellation at the desk', path: '/desk?scan=visitor', as: staff, act: unfold(0) },
  {
    name: 'a block at the desk',
    path: '/desk?scan=visitor',
    as: staff,
    act: (page) => page.locator('main summary').last().click(),
  },
  { name: 'a customer who is blocked', path: '/desk?scan=blocked', as: staff },
  { name: 'a copy to fetch', path: '/shelf/pull?scan=other', as: staff },
  { name: 'a copy that is not to be fetched', path: '/shelf/pull?scan=nope', as: staff },
  { name: 'a copy that cannot be found', path: '/shelf/pull', as: staff, act: unfold(0) },
  { name: 'a copy put on the shelf', path: '/shelf/pull?did=shelved&of={ready}', as: staff },
  { name: 'a copy on the shelf', path: '/shelf/ready?scan={ready}', as: staff },
  { name: 'a copy that is not on the shelf', path: '/shelf/ready?scan=nope', as: staff },
  { name: 'a later deadline', path: '/shelf/ready', as: staff, act: unfold(0) },
  { name: 'returns', path: '/return', as: staff },
  { name: 'copies that a customer has', path: '/return?userid=visitor', as: staff },
  { name: 'a copy that comes back', path: '/return?scan={collected}', as: staff },
  { name: 'a damaged copy', path: '/return?scan={collected}', as: staff, act: unfold(0) },
  { name: 'a copy that came back', path: '/return?did=returned&of={returned}', as: staff },
]
