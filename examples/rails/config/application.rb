require_relative "boot"

require "rails"
require "action_controller/railtie"
require "action_cable/engine"

Bundler.require(*Rails.groups)

module ChargingApp
  class Application < Rails::Application
    config.load_defaults 7.2
    config.api_only = true
    config.eager_load = true
    config.enable_reloading = false

    # Rails requires a secret key; this app signs and encrypts nothing with it.
    config.secret_key_base = ENV.fetch("SECRET_KEY_BASE") { SecureRandom.hex(64) }

    config.logger = ActiveSupport::TaggedLogging.new(ActiveSupport::Logger.new($stdout))
    config.log_level = ENV.fetch("LOG_LEVEL", "info")

    # Which stations and tags are accepted. If unset: every station, without a password, and every tag.
    config.x.stations = ENV["STATIONS"]&.split(",")
    config.x.station_password = ENV["STATION_PASSWORD"].presence
    config.x.id_tags = ENV["ID_TAGS"]&.split(",")

    config.x.ledger = ENV.fetch("LEDGER") { Rails.root.join("tmp/ledger.jsonl").to_s }
  end
end
