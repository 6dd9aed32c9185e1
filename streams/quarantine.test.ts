import { expect, test } from 'vitest'
import { Quarantine } from './quarantine.ts'

test('an event that is unreadable again after its stream was recreated is no news, however many there are', () => {
  const quarantine = new Quarantine()
  const isNews = (partition: number, ...positions: string[]) =>
    positions.filter((it) => quarantine.isNews(partition, it))
  expect(isNews(0, '3-0', '10-0')).toEqual(['3-0', '10-0'])
  expect(isNews(0, '3-0', '10-0')).toEqual([])
  expect(isNews(0, '11-0')).toEqual(['11-0'])
  expect(isNews(1, '3-0')).toEqual(['3-0'])
})
