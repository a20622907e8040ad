// Package browsertest looks at the publisher's status page with Chromium.
//
// Its tests are all there is. They need the program chromium (apt-get install chromium fonts-noto-cjk) and are skipped
// without it. They see to it that nothing is loaded from elsewhere, that no script or style is refused by the page's own
// policy, that it fits a phone, that its texts can be read in light and dark, that it follows a publisher's news by itself,
// and that it works without JavaScript.
//
//	go -C internal/browsertest test ./...
//	WX_SHOTS=$PWD go -C internal/browsertest test ./... # leaves screenshots here
package browsertest
