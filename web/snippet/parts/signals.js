/*
 * Do Not Track and Global Privacy Control are a refusal, unless the page says that the visitor
 * consented. https://www.w3.org/TR/gpc/, https://www.w3.org/TR/tracking-dnt/
 */

if (navigator.globalPrivacyControl || navigator.doNotTrack == 1) S.consent(false);
