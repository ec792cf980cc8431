/*
 * What the widget says, in Russian and English.
 */

// Where Russian is read rather than English though the page is in neither.
const RUSSIAN = /^(ru|be|kk|ky|tg|uz)\b/i;

export const language = RUSSIAN.test(document.documentElement.lang || navigator.language)
  ? 'ru'
  : 'en';

const say = (russian, english) => (language == 'ru' ? russian : english);

export const TITLE = say('Заказать звонок', 'Request a call');
export const WRITE = say('Напишите нам', 'Message us');
export const OR = say('Или напишите', 'Or message us');
export const CLOSE = say('Закрыть', 'Close');
export const CLOSED = say('Сейчас мы не работаем. ', 'We are closed now. ');
export const PROMISE = say('Перезвоним ', 'We’ll call you ');
export const SOON = say('в течение нескольких минут', 'within a few minutes');
export const PHONE = say('Телефон', 'Phone');
export const SHORT = say('Введите номер целиком, с кодом', 'Enter the whole number with its code');
export const NAME = say('Имя (необязательно)', 'Name (optional)');
export const TIME = say('Когда перезвонить', 'When to call');
export const FIRST = say('как можно скорее', 'as soon as possible');
export const AGREE = say('Согласен на ', 'I agree to the ');
export const POLICY = say('обработку персональных данных', 'processing of my personal data');
export const DISAGREE = say('Без согласия мы не примем номер', 'Without it we cannot take the number');
export const SEND = say('Жду звонка', 'Call me back');
export const SENDING = say('Отправляем…', 'Sending…');
export const SLOW = say('Ещё отправляем: связь медленная.', 'Still sending: the connection is slow.');
export const FAILED = say('Не получилось отправить. Попробуйте ещё раз.', 'It was not sent. Please try again.');
export const CALL = say('Или позвоните:', 'Or call us:');
export const THANKS = say('Спасибо!', 'Thank you!');

const DAYS = say('сегодня,завтра', 'today,tomorrow').split(',');

// "on Monday"; Russian declines the day's name.
function weekday(moment) {
  const day = moment.toLocaleDateString(language, { weekday: 'long', timeZone: 'UTC' });
  return say(day[1] == 'т' ? 'во ' : 'в ', 'on ') + day.replace(/а$/, 'у');
}

// "tomorrow at 9:00", by the clock of the site; `days` from today.
export function dayAndTime(days, at) {
  const moment = new Date(at);
  const time = moment.toISOString().slice(11, 16).replace(/^0/, '');
  return (DAYS[days] || weekday(moment)) + say(' в ', ' at ') + time;
}
