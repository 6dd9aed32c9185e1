/** Numbers in Korean. */
import { numbersIn } from './numbers.ts'

export const { number, say, lasted } = numbersIn('ko')
